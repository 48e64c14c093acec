//! The HTTP server: HTTP/1.1, keep-alive, and forward-proxy requests; and the name server at the
//! same port of UDP.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;

use crate::body::Streamed;
use crate::call::Hangup;
use crate::sandbox::Sandbox;
use crate::{body, dns, response};

/// How soon a connection is taken again after one could not be.
const AGAIN_AFTER: Duration = Duration::from_millis(50);

/// The answer to a request for a host that is not the sandbox's, where it listens on this machine
/// alone.
const MISLED: &str = "this is a sandbox of AWS on localhost: ask it by that name, by its address, or by \
                      a name of AWS or of an environment\n";

impl Sandbox {
    /// Serves until `shutdown` is done; open connections are closed then. DNS is answered at the
    /// same port of UDP, unless another process has that.
    ///
    /// # Errors
    /// The listener fails.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()>,
    ) -> io::Result<()> {
        let address = listener.local_addr()?;
        let names = UdpSocket::bind(address).await;
        let resolver = self.clone();
        let folder = self.0.objects.folder().to_owned();
        let answer = move |request| {
            let sandbox = self.clone();
            async move {
                if address.ip().is_loopback() && !sandbox.is_meant(&request) {
                    return Ok(response::text(421, MISLED.to_owned()));
                }
                sandbox.answer(request).await
            }
        };
        let serving = serve(listener, shutdown, folder, answer);
        match names {
            Ok(socket) => tokio::select! {
                served = serving => served,
                never = resolver.serve_names(socket) => match never {},
            },
            Err(error) => {
                tracing::warn!("no DNS: the port is taken over UDP: {error}");
                serving.await
            }
        }
    }

    /// Answers queries of DNS, as a resolver does.
    async fn serve_names(self, socket: UdpSocket) -> Infallible {
        let mut buffer = [0; dns::BYTES_MAX];
        loop {
            // What went wrong with one query, as with a client that is gone, is no other's matter.
            let Ok((length, client)) = socket.recv_from(&mut buffer).await else {
                continue;
            };
            let query = &buffer[..length];
            if let Some(answer) = self.read_world(|world, _| dns::answer(world, query)) {
                let _ = socket.send_to(&answer, client).await;
            }
        }
    }
}

/// Answers every request until `shutdown` is done; open connections are closed then. Large
/// bodies are put below `folder` while they come.
pub(crate) async fn serve<A, F>(
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
    folder: PathBuf,
    answer: A,
) -> io::Result<()>
where
    A: Fn(Request<Bytes>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Response<Bytes>, Hangup>> + Send + 'static,
{
    let mut connections = JoinSet::new();
    let folder: Arc<Path> = folder.into();
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => return Ok(()),
            accepted = listener.accept() => {
                match accepted {
                    Ok((stream, _)) => _ = connections.spawn(converse(stream, answer.clone(), folder.clone())),
                    // Out of descriptors, as a rule: some are let go of in a moment.
                    Err(_) => tokio::time::sleep(AGAIN_AFTER).await,
                }
            }
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

async fn converse<A, F>(stream: TcpStream, answer: A, folder: Arc<Path>)
where
    A: Fn(Request<Bytes>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Response<Bytes>, Hangup>> + Send + 'static,
{
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let (answer, folder) = (answer.clone(), folder.clone());
        async move {
            match body::receive(request, &folder).await {
                Ok(request) => answer(request).await.map(Streamed::sent),
                Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                    Ok(Streamed::sent(response::too_large()))
                }
                Err(error) => {
                    tracing::debug!("the body of a request: {error}");
                    Err(Hangup)
                }
            }
        }
    });
    // A hang-up ends here too: the error closes the connection.
    if let Err(error) = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await
    {
        tracing::debug!("connection: {error}");
    }
}
