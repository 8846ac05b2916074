//! Why a decision came out as it did, in sentences for people; free of cost where nobody reads them.
use alloc::string::String;
use alloc::vec::Vec;

/// Which question a sentence answers, in the order in which they are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// What number was called.
    Number,
    /// Which entry of the table it matched.
    Match,
    /// Which line that is.
    Line,
    /// How the line is, and what the operator wants.
    Health,
    /// Which rule applies, and where it leads.
    Rule,
    /// What the call gets.
    Decision,
}

impl Step {
    /// The step's name at the Python boundary (`TraceStep.step`).
    pub fn name(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Match => "match",
            Self::Line => "line",
            Self::Health => "health",
            Self::Rule => "rule",
            Self::Decision => "decision",
        }
    }
}

/// Takes the sentences of a decision.
pub trait Trace {
    /// Whether sentences are kept at all; where not, questions that only they need are not asked.
    const KEEPS: bool;

    /// One sentence; an implementation that keeps none does not call `sentence`.
    fn step(&mut self, step: Step, sentence: impl FnOnce() -> String);
}

/// Keeps nothing; compiles to nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoTrace;

impl Trace for NoTrace {
    const KEEPS: bool = false;

    #[inline(always)]
    #[allow(
        clippy::inline_always,
        reason = "the closures must vanish from the call path in every build profile"
    )]
    fn step(&mut self, _: Step, _: impl FnOnce() -> String) {}
}

/// Keeps all sentences in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recording {
    /// The sentences so far.
    pub steps: Vec<(Step, String)>,
}

impl Trace for Recording {
    const KEEPS: bool = true;

    fn step(&mut self, step: Step, sentence: impl FnOnce() -> String) {
        self.steps.push((step, sentence()));
    }
}
