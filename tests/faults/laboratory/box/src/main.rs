//! A bridge between pairs of network ports that loses, delays, reorders, doubles and slows what passes, decided by a seed.
//!
//! One thread: it takes frames from its ports into the lanes, and hands out what is due. No reader of its answers and no port can
//! make it wait: answers that nobody takes and frames that a port refuses are dropped, the latter counted. See `README.md`.

mod control;
mod lane;
mod random;
mod settings;
mod system;
#[cfg(test)]
mod tests;

use std::io::ErrorKind;
use std::process::ExitCode;

use control::{Wire, obey};
use system::Port;

const USAGE: &str = "impairment-box [--seed N] --wire NAME=PORT,PORT …";
/// Most frames taken from one port in a turn.
const BATCH: usize = 256;
const LONGEST_FRAME: usize = 1 << 17;
/// Most bytes of commands without an end of line, and of answers that nobody takes.
const LONGEST_TALK: usize = 1 << 20;

fn main() -> ExitCode {
    match arguments(std::env::args().skip(1)).and_then(|(wires, ports)| serve(wires, &ports)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("impairment-box: {error}");
            ExitCode::FAILURE
        }
    }
}

fn arguments(
    mut words: impl Iterator<Item = String>,
) -> Result<(Vec<Wire>, Vec<[Port; 2]>), String> {
    let (mut seed, mut names) = (0_u64, Vec::new());
    while let Some(word) = words.next() {
        let value = words.next().ok_or(USAGE)?;
        match word.as_str() {
            "--seed" => seed = value.parse().map_err(|_| USAGE)?,
            "--wire" => names.push(value),
            _ => return Err(USAGE.to_owned()),
        }
    }
    let (mut wires, mut ports) = (Vec::new(), Vec::new());
    for (index, text) in names.iter().enumerate() {
        let (name, (one, other)) = text
            .split_once('=')
            .and_then(|(name, both)| Some((name, both.split_once(',')?)))
            .ok_or(USAGE)?;
        let open = |port: &str| Port::open(port).map_err(|error| format!("port {port}: {error}"));
        wires.push(Wire::new(name, seed, index));
        ports.push([open(one)?, open(other)?]);
    }
    if wires.is_empty() {
        Err(USAGE.to_owned())
    } else {
        Ok((wires, ports))
    }
}

fn serve(mut wires: Vec<Wire>, ports: &[[Port; 2]]) -> Result<(), String> {
    system::be_prompt();
    let mut talk = Talk::new();
    let mut readable: Vec<_> = ports.iter().flatten().map(Port::fd).collect();
    readable.push(system::INPUT);
    let mut buffer = vec![0; LONGEST_FRAME];
    loop {
        let mut until = None;
        for (wire, ends) in wires.iter_mut().zip(ports) {
            for (direction, lane) in wire.lanes.iter_mut().enumerate() {
                for taken in 0..=BATCH {
                    let Some(frame) = ends[direction].receive(&mut buffer) else {
                        break;
                    };
                    lane.handle_frame(frame, system::now());
                    if taken == BATCH {
                        until = Some(0);
                    }
                }
                while let Some(frame) = lane.poll_frame(system::now()) {
                    let sent = ends[1 - direction].send(&frame);
                    lane.counts.sent += u64::from(sent);
                    lane.counts.refused += u64::from(!sent);
                }
                until = [until, lane.next_due()].into_iter().flatten().min();
            }
        }
        if !talk.turn(&mut wires, ports)? {
            return Ok(());
        }
        system::wait(&readable, talk.unsent(), until);
    }
}

/// Commands on standard input and answers on standard output, neither of which is ever waited for.
struct Talk {
    heard: Vec<u8>,
    unsaid: Vec<u8>,
}

impl Talk {
    fn new() -> Self {
        system::unblock(system::INPUT);
        system::unblock(system::OUTPUT);
        Self {
            heard: Vec::new(),
            unsaid: Vec::new(),
        }
    }

    /// Where to wait for room, if an answer could not be written yet.
    fn unsent(&self) -> Option<i32> {
        (!self.unsaid.is_empty()).then_some(system::OUTPUT)
    }

    /// Read, obey, answer; false when the input has ended.
    fn turn(&mut self, wires: &mut [Wire], ports: &[[Port; 2]]) -> Result<bool, String> {
        let mut chunk = [0; 4096];
        match system::read(system::INPUT, &mut chunk) {
            Ok(0) => return Ok(false),
            Ok(length) => self.heard.extend_from_slice(&chunk[..length]),
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(error) => return Err(format!("standard input: {error}")),
        }
        for (wire, ends) in wires
            .iter_mut()
            .zip(ports)
            .filter(|_| !self.heard.is_empty())
        {
            for (lane, port) in wire.lanes.iter_mut().zip(ends) {
                lane.counts.missed += port.missed();
            }
        }
        while let Some(end) = self.heard.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.heard.drain(..=end).collect();
            let answer = obey(&String::from_utf8_lossy(&line), wires);
            if self.unsaid.len() < LONGEST_TALK {
                self.unsaid.extend_from_slice(answer.as_bytes());
                self.unsaid.push(b'\n');
            }
        }
        if self.heard.len() > LONGEST_TALK {
            return Err("a command without an end".to_owned());
        }
        self.say();
        Ok(true)
    }

    fn say(&mut self) {
        while !self.unsaid.is_empty() {
            match system::write(system::OUTPUT, &self.unsaid) {
                Ok(length) if length > 0 => drop(self.unsaid.drain(..length)),
                _ => return,
            }
        }
    }
}
