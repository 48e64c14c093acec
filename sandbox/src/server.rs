//! The HTTP server: HTTP/1.1, keep-alive, and forward-proxy requests; and the name server at the
//! same port of UDP.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::Sandbox;
use crate::route::Hangup;
use crate::{dns, route};

/// How soon a connection is taken again after one could not be.
const AGAIN_AFTER: Duration = Duration::from_millis(50);

/// The largest body that is taken: more than the largest source bundle. All bodies that are
/// held at a time take no more than this together, but for small ones.
const BODY_BYTES_MAX: u32 = 600 * 1024 * 1024;

/// A body up to this length is held beside large ones: calls go on while those are sent.
const SMALL_BYTES_MAX: u32 = 1024 * 1024;

/// What is told of a host that is not the sandbox's, where it listens on this machine alone.
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
        let answer = move |request| {
            let sandbox = self.clone();
            async move {
                if address.ip().is_loopback() && !sandbox.is_meant(&request) {
                    return Ok(route::text(421, MISLED.to_owned()));
                }
                sandbox.handle(request).await
            }
        };
        let serving = serve(listener, shutdown, answer);
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
            if let Some(answer) = self.with_world(|world, _| dns::answer(world, query)) {
                let _ = socket.send_to(&answer, client).await;
            }
        }
    }
}

/// Answers every request until `shutdown` is done; open connections are closed then.
pub(crate) async fn serve<A, F>(
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
    answer: A,
) -> io::Result<()>
where
    A: Fn(Request<Bytes>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Response<Bytes>, Hangup>> + Send + 'static,
{
    let mut connections = JoinSet::new();
    let room = Arc::new(Semaphore::new(BODY_BYTES_MAX as usize));
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => return Ok(()),
            accepted = listener.accept() => {
                match accepted {
                    Ok((stream, _)) => _ = connections.spawn(converse(stream, answer.clone(), room.clone())),
                    // Out of descriptors, as a rule: some are let go of in a moment.
                    Err(_) => tokio::time::sleep(AGAIN_AFTER).await,
                }
            }
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

async fn converse<A, F>(stream: TcpStream, answer: A, room: Arc<Semaphore>)
where
    A: Fn(Request<Bytes>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Response<Bytes>, Hangup>> + Send + 'static,
{
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let (answer, room) = (answer.clone(), room.clone());
        async move {
            let (parts, body) = request.into_parts();
            // One that does not tell its length may have any.
            let length = body.size_hint().upper().unwrap_or(BODY_BYTES_MAX.into());
            let Ok(length @ ..=BODY_BYTES_MAX) = u32::try_from(length) else {
                return Ok(too_large());
            };
            let _room = match length {
                ..=SMALL_BYTES_MAX => None,
                large => room.acquire_many(large).await.ok(),
            };
            let Ok(body) = Limited::new(body, length as usize).collect().await else {
                return Ok::<_, Hangup>(too_large());
            };
            let body = body.to_bytes();
            let response = answer(Request::from_parts(parts, body)).await?;
            Ok(response.map(Full::new))
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

fn too_large() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from("the body is too large\n"));
    *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
    response
}
