//! Just enough of an HTTP client to put a load on a server without being the load itself.

use anyhow::{Context as _, anyhow, ensure};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A request, ready to be sent again and again.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    bytes: Vec<u8>,
}

impl Request {
    pub(crate) fn get(address: SocketAddr, path: &str) -> Self {
        Self { bytes: format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").into_bytes() }
    }

    /// A POST of JSON with the headers that MCP clients send, and `headers`.
    pub(crate) fn post(address: SocketAddr, path: &str, headers: &[(&str, &str)], body: &str) -> Self {
        let mut head = format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nAccept: application/json, text/event-stream\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n",
            body.len()
        );
        for (name, value) in headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        Self { bytes: [head.as_str(), "\r\n", body].concat().into_bytes() }
    }
}

/// A connection that is kept.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer; its body is still in the connection's buffer.
#[derive(Clone, Copy, Debug)]
struct Answer {
    status: u16,
    head_length: usize,
    length: usize,
}

impl Connection {
    /// # Errors
    /// When nobody listens there.
    pub(crate) async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("cannot connect to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(4096) })
    }

    /// Sends a request, waits for all of its answer, and tells its status.
    ///
    /// # Errors
    /// When the connection breaks or the answer has another form than this server's.
    pub(crate) async fn exchange(&mut self, request: &Request) -> anyhow::Result<u16> {
        self.stream.write_all(&request.bytes).await?;
        let answer = self.receive().await?;
        self.buffer.clear();
        Ok(answer.status)
    }

    /// The same, with the body.
    ///
    /// # Errors
    /// As [`Self::exchange`].
    pub(crate) async fn fetch(&mut self, request: &Request) -> anyhow::Result<(u16, String)> {
        self.stream.write_all(&request.bytes).await?;
        let answer = self.receive().await?;
        let body = self.buffer.split_off(answer.head_length);
        self.buffer.clear();
        Ok((answer.status, String::from_utf8(body)?))
    }

    async fn receive(&mut self) -> anyhow::Result<Answer> {
        let mut answer = None;
        loop {
            ensure!(self.stream.read_buf(&mut self.buffer).await? > 0, "the server closed the connection");
            if answer.is_none() {
                answer = read_head(&self.buffer)?;
            }
            if let Some(answer) = answer.filter(|answer| self.buffer.len() >= answer.length) {
                return Ok(answer);
            }
        }
    }
}

/// Reads the head of an answer; `None` while it is incomplete.
fn read_head(buffer: &[u8]) -> anyhow::Result<Option<Answer>> {
    let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(buffer.get(..end).unwrap_or_default())?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    match (status, length) {
        (Some(status), Some(length)) => {
            let head_length = end + 4;
            Ok(Some(Answer { status, head_length, length: head_length + length }))
        }
        _ => Err(anyhow!("an answer without a status or a length: {head}")),
    }
}
