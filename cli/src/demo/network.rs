use std::net::SocketAddr;

use tokio::runtime::Runtime;
use veldwerk::{Error, ErrorKind, Result};
use veldwerk_server::faults::{Fault, Proxy};

/// What befalls the next connections, one each.
const TROUBLES: [Fault; 7] = [
    Fault::CutPost { after: 900 },
    Fault::LosePostReply,
    Fault::CutReply { after: 40 },
    Fault::LosePostReply,
    Fault::CutPost { after: 20_000 },
    Fault::LosePostReply,
    Fault::CutPost { after: 60_000 },
];

/// The mobile network between phone and server: a proxy that can be cut, and can be bad.
pub(super) struct Network {
    proxy: Proxy,
    // The proxy lives on it.
    _runtime: Runtime,
}

impl Network {
    pub(super) fn in_front_of(server: SocketAddr) -> Result<Self> {
        let failed = |error| Error::new(ErrorKind::Io, "the demo's network").caused_by(error);
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().map_err(failed)?;
        let proxy = runtime.block_on(Proxy::start(server)).map_err(failed)?;
        Ok(Self { proxy, _runtime: runtime })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.proxy.address()
    }

    /// Nobody gets through.
    pub(super) fn cut(&self) {
        self.proxy.go_down();
    }

    /// It is back, and bad: connections break in the middle of a record, and replies get lost although the server has
    /// taken what was sent.
    pub(super) fn come_back_bad(&self) {
        self.proxy.plan(TROUBLES);
        self.proxy.go_up();
    }

    /// How many of its troubles somebody has met.
    pub(super) fn troubles_met(&self) -> usize {
        TROUBLES.len().saturating_sub(self.proxy.planned())
    }
}
