//! A message that outlives its buffer: what a transaction keeps.

use alloc::boxed::Box;

use super::index::{First, HeaderIndex, Span};
use super::{Layout, Message};
use crate::error::PeerError;

/// Octets and index in boxes of their own size.
#[derive(Clone, Debug)]
pub struct OwnedMessage {
    bytes: Box<[u8]>,
    spans: Box<[Span]>,
    first: Box<First>,
    layout: Layout,
}

impl OwnedMessage {
    /// Parse octets one already owns.
    pub fn parse(bytes: impl AsRef<[u8]>) -> Result<Self, PeerError> {
        let mut index = HeaderIndex::new();
        Message::parse(bytes.as_ref(), &mut index).map(|message| Self::from(&message))
    }

    /// The message.
    pub fn view(&self) -> Message<'_> {
        Message {
            bytes: &self.bytes,
            spans: &self.spans,
            first: &self.first,
            layout: self.layout,
            uri: None,
        }
    }
}

impl From<&Message<'_>> for OwnedMessage {
    fn from(message: &Message<'_>) -> Self {
        Self {
            bytes: message.bytes.into(),
            spans: message.spans.into(),
            first: Box::new(*message.first),
            layout: message.layout,
        }
    }
}
