//! The door: who may ask, what is answered without asking anybody, and the message in and out.

pub mod cookies;

use std::net::SocketAddr;
use std::sync::Arc;

use crate::config::Config;
use crate::world::{Transport, World};

/// A running resolver seen from outside: packet in, packet out. Sockets (`udp.rs`, `tcp.rs`), the
/// scenario runner and the property tests all go through [`Service::respond`].
pub struct Service {
    _config: Arc<Config>,
    _world: World,
}

impl Service {
    /// Builds everything that is not a socket.
    pub fn new(config: Arc<Config>, world: World) -> Arc<Service> {
        Arc::new(Service { _config: config, _world: world })
    }

    /// Answers one request; `None`: it is dropped without an answer.
    pub async fn respond(&self, _request: &[u8], _client: SocketAddr, _over: Transport) -> Option<Vec<u8>> {
        None
    }

    /// Takes a new configuration for all requests from now on; what is cached stays.
    pub fn reload(&self, _config: Arc<Config>) {}
}
