//! Receivers of messages: a web server that keeps what it is sent, and messengers that reach
//! nobody.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use bluegreen::notifications::{Delivery, Failure, Messenger};
use serde_json::Value;

/// A request as it came over the wire.
#[derive(Clone, Debug)]
pub struct Received {
    pub path: String,
    /// The names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Received {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a JSON document")
    }
}

/// An answer: the status and a body. `None` closes the connection without one.
pub type Answer = Option<(u16, String)>;

/// A web server that keeps every request.
pub struct Receiver {
    pub port: u16,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Receiver {
    /// One that takes everything.
    pub fn new() -> Receiver {
        Receiver::answering(|_, _| Some((200, "{}".to_owned())))
    }

    /// One that answers as `of` says, by the number of the request, from 0.
    pub fn answering(of: impl Fn(usize, &Received) -> Answer + Send + Sync + 'static) -> Receiver {
        Receiver::on(
            TcpListener::bind("127.0.0.1:0").expect("a port is free"),
            of,
        )
    }

    /// The same on a port that somebody knows already.
    pub fn on(
        listener: TcpListener,
        of: impl Fn(usize, &Received) -> Answer + Send + Sync + 'static,
    ) -> Receiver {
        let port = listener.local_addr().expect("an address").port();
        let received = Arc::<Mutex<Vec<Received>>>::default();
        let (kept, of) = (received.clone(), Arc::new(of));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, kept, of) = (stream.expect("a connection"), kept.clone(), of.clone());
                std::thread::spawn(move || serve(stream, &kept, &*of));
            }
        });
        Receiver { port, received }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub fn received(&self) -> Vec<Received> {
        self.received.lock().expect("no panic holds it").clone()
    }

    /// A member of each document that came, in their order.
    pub fn told(&self, member: &str) -> Vec<String> {
        let text = |received: &Received| match &received.json()[member] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        self.received().iter().map(text).collect()
    }
}

fn serve(
    mut stream: TcpStream,
    kept: &Mutex<Vec<Received>>,
    of: &dyn Fn(usize, &Received) -> Answer,
) {
    let Some(received) = read(&stream) else {
        return;
    };
    let number = {
        let mut kept = kept.lock().expect("no panic holds it");
        kept.push(received.clone());
        kept.len() - 1
    };
    if let Some((status, body)) = of(number, &received) {
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
             connection: close\r\n\r\n{body}"
        );
        let _ = stream.write_all(answer.as_bytes());
    }
}

fn read(stream: &TcpStream) -> Option<Received> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length")?.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Received {
        path,
        headers,
        body,
    })
}

type Sending<'a> = Pin<Box<dyn Future<Output = Result<Option<String>, Failure>> + Send + 'a>>;

/// A messenger whose receivers refuse every connection.
pub struct Silent;

impl Messenger for Silent {
    fn send<'a>(&'a self, _: &'a Delivery) -> Sending<'a> {
        Box::pin(async { Err(Failure::unreached("connection refused")) })
    }
}

/// A messenger whose receivers accept every connection and never answer.
pub struct Hanging;

impl Messenger for Hanging {
    fn send<'a>(&'a self, _: &'a Delivery) -> Sending<'a> {
        Box::pin(std::future::pending())
    }
}

/// A messenger that keeps what it is given.
#[derive(Default)]
pub struct Keeping(pub Mutex<Vec<Delivery>>);

impl Messenger for Keeping {
    fn send<'a>(&'a self, delivery: &'a Delivery) -> Sending<'a> {
        let mut kept = self.0.lock().expect("no panic holds it");
        kept.push(delivery.clone());
        Box::pin(async { Ok(None) })
    }
}
