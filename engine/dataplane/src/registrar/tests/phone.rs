//! A phone that registers at a stage of one worker.

use std::net::SocketAddr;

use route_core::LineSpec;
use sip_core::digest::{Algorithm, Credentials, Ha1, ServerChallenge, respond};

use crate::worker::testing::{Sent, Stage, registered_line, settings};

pub(super) const REALM: &str = "example.net";
pub(super) const USER: &str = "+493023125000";
pub(super) const PASSWORD: &str = "correct horse";
pub(super) const CONTACT: &str = "<sip:pbx@10.0.0.7:5062>";

/// HA1 in the table's form.
pub(super) fn credential(username: &str, algorithm: Algorithm) -> (String, String, String) {
    let ha1 = Ha1::new(
        algorithm,
        username.as_bytes(),
        REALM.as_bytes(),
        PASSWORD.as_bytes(),
    );
    let digits = String::from_utf8(ha1.as_bytes().to_vec()).unwrap();
    (username.to_owned(), algorithm.token().to_owned(), digits)
}

/// A line that registers by `users`, with `username` and both algorithms.
pub(super) fn line(slot: u32, users: &[&str], username: &str) -> LineSpec {
    LineSpec {
        credentials: [Algorithm::Sha256, Algorithm::Md5]
            .map(|algorithm| credential(username, algorithm))
            .into(),
        ..registered_line(slot, users)
    }
}

/// A worker with the line 0 of `USER`; 200s do not wait for the store.
pub(super) fn stage() -> Stage {
    let mut settings = settings(1);
    settings.registrar.store_wait_s = 0.0;
    let mut stage = Stage::new(settings);
    stage.put_lines([line(0, &[USER], USER)]);
    stage
}

/// The same without digest.
pub(super) fn open_stage() -> Stage {
    let mut settings = settings(1);
    settings.registrar.store_wait_s = 0.0;
    settings.registrar.open = true;
    let mut stage = Stage::new(settings);
    stage.put_lines([line(0, &[USER], USER)]);
    stage
}

pub(super) struct Phone {
    pub(super) user: String,
    pub(super) username: String,
    pub(super) password: &'static str,
    pub(super) call_id: &'static str,
    pub(super) source: SocketAddr,
    pub(super) cseq: u32,
    /// The last Authorization.
    pub(super) authorization: Option<String>,
    pub(super) branch: u32,
}

impl Default for Phone {
    fn default() -> Self {
        Self {
            user: USER.to_owned(),
            username: USER.to_owned(),
            password: PASSWORD,
            call_id: "phone-1",
            source: "198.51.100.7:40001".parse().unwrap(),
            cseq: 0,
            authorization: None,
            branch: 0,
        }
    }
}

impl Phone {
    pub(super) fn of(user: &str, username: &str) -> Self {
        Self {
            user: user.to_owned(),
            username: username.to_owned(),
            ..Self::default()
        }
    }

    /// A new request with these further header fields, each ended by CRLF.
    pub(super) fn request(&mut self, headers: &str) -> String {
        self.cseq += 1;
        self.branch += 1;
        let Self {
            user,
            call_id,
            cseq,
            branch,
            source,
            ..
        } = self;
        let authorization = self
            .authorization
            .as_ref()
            .map(|value| format!("Authorization: {value}\r\n"));
        format!(
            "REGISTER sip:example.net SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.7:5062;rport;branch=z9hG4bK{call_id}-{}-{branch}\r\n\
             From: <sip:{user}@example.net>;tag=1\r\nTo: <sip:{user}@example.net>\r\nCall-ID: {call_id}\r\n\
             CSeq: {cseq} REGISTER\r\nMax-Forwards: 70\r\nUser-Agent: {}\r\n{headers}{}Content-Length: 0\r\n\r\n",
            source.port(),
            "PBX\x1b[2J ".repeat(10).trim(),
            authorization.unwrap_or_default(),
        )
    }

    /// Send a request; the answer, if there is exactly one.
    pub(super) fn send(&mut self, stage: &mut Stage, headers: &str) -> Sent {
        let request = self.request(headers);
        let sent = exchange(stage, &request, self.source);
        assert_eq!(1, sent.len(), "{sent:?}");
        assert_eq!(self.source, sent[0].destination);
        sent.into_iter().next().unwrap()
    }

    /// Answer the first challenge of `response` that is for `algorithm`.
    pub(super) fn answer(&mut self, response: &Sent, algorithm: Algorithm, nc: u32) {
        let challenges = response
            .text
            .lines()
            .filter_map(|line| line.strip_prefix("WWW-Authenticate: "));
        let challenge = challenges
            .filter_map(|value| ServerChallenge::parse(value.as_bytes()))
            .find(|challenge| challenge.algorithm == algorithm)
            .expect("the algorithm is offered");
        let credentials = Credentials::Password(self.username.as_bytes(), self.password.as_bytes());
        let value = respond(
            &challenge,
            credentials,
            b"REGISTER",
            b"sip:example.net",
            b"c0",
            nc,
        )
        .unwrap();
        self.authorization = Some(String::from_utf8(value).unwrap());
    }

    /// Send, and answer the challenge.
    pub(super) fn register(&mut self, stage: &mut Stage, headers: &str) -> Sent {
        self.authorization = None;
        let challenge = self.send(stage, headers);
        assert_eq!(401, status(&challenge));
        self.answer(&challenge, Algorithm::Sha256, 1);
        self.send(stage, headers)
    }
}

pub(super) fn exchange(stage: &mut Stage, request: &str, source: SocketAddr) -> Vec<Sent> {
    stage.receive(request, source);
    stage
        .sent()
        .into_iter()
        .filter(|sent| sent.text.starts_with("SIP/2.0 "))
        .collect()
}

pub(super) fn status(sent: &Sent) -> u16 {
    sent.text
        .get(8..11)
        .and_then(|code| code.parse().ok())
        .unwrap_or(0)
}

/// All values of a header field.
pub(super) fn all<'s>(sent: &'s Sent, name: &str) -> Vec<&'s str> {
    let prefix = format!("{name}: ");
    sent.text
        .lines()
        .filter_map(|line| line.strip_prefix(&prefix))
        .collect()
}
