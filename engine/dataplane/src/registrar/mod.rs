//! Skeleton.
#![allow(unused)]
use crate::secret::Secrets;
use crate::worker::{Core, Incoming, View};
pub(crate) struct Registrar;
impl Registrar { pub(crate) fn new(_: &Secrets) -> Self { Self } }
impl Core {
    pub(crate) fn on_register(&mut self, request: &Incoming<'_>, view: &View) {}
    pub(crate) fn on_stored(&mut self, seq: u64) {}
    pub(crate) fn on_store_wait(&mut self, wait: u64) {}
}
