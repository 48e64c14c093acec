//! The HTTP server: HTTP/1.1, keep-alive, and forward-proxy requests; and the name server at the
//! same port of UDP.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;

use crate::Sandbox;
use crate::dns;
use crate::route::Hangup;

/// How soon a connection is taken again after one could not be.
const AGAIN_AFTER: Duration = Duration::from_millis(50);

/// The largest body that is taken: more than the largest source bundle.
const BODY_BYTES_MAX: usize = 600 * 1024 * 1024;

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
        let names = UdpSocket::bind(listener.local_addr()?).await;
        let resolver = self.clone();
        let answer = move |request| {
            let sandbox = self.clone();
            async move { sandbox.handle(request).await }
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
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => return Ok(()),
            accepted = listener.accept() => {
                match accepted {
                    Ok((stream, _)) => _ = connections.spawn(converse(stream, answer.clone())),
                    // Out of descriptors, as a rule: some are let go of in a moment.
                    Err(_) => tokio::time::sleep(AGAIN_AFTER).await,
                }
            }
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

async fn converse<A, F>(stream: TcpStream, answer: A)
where
    A: Fn(Request<Bytes>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Response<Bytes>, Hangup>> + Send + 'static,
{
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = answer.clone();
        async move {
            let (parts, body) = request.into_parts();
            let body = match Limited::new(body, BODY_BYTES_MAX).collect().await {
                Ok(body) => body.to_bytes(),
                Err(_) => {
                    let mut response = Response::new(Full::from("the body is too large\n"));
                    *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
                    return Ok::<_, Hangup>(response);
                }
            };
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
