//! The daemon, on a thread of its own, with a project that the test wrote.

use crate::config_project::Project;
use mxcp::wiring::{Daemon, ServeOptions};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::oneshot;

/// How long the daemon may take to stop: calls in flight have thirty seconds.
const STOP_WITHIN: Duration = Duration::from_secs(40);

/// How long it may take to start.
const START_WITHIN: Duration = Duration::from_secs(60);

/// How a test's daemon is configured. JSON is YAML, so the files are written as JSON.
pub(crate) struct Setup {
    /// `transport.http`.
    pub(crate) http: Value,
    /// `http_fetch`.
    pub(crate) http_fetch: Value,
    /// The profile's `auth`.
    pub(crate) auth: Value,
    /// The profile's `audit`, which the site file has.
    pub(crate) audit: Value,
    /// The tools by file name.
    pub(crate) tools: BTreeMap<&'static str, Value>,
}

impl Default for Setup {
    /// The quickstart's two people, and a tool that says who calls.
    fn default() -> Self {
        let hash = |salt_and_hash: &str| format!("$argon2id$v=19$m=19456,t=2,p=1${salt_and_hash}");
        let ada = hash("rx2WPSOSJ2lEMgHgkcC1uA$QFARMVgZbgKmaWcEDJBNa6pm1ngq1CEI0APFQ/lct9Q");
        let ben = hash("+NHuMKmcIbt30GygHDGSOw$kEnqexSXz0T7GLzfHkGgaCZZXgCPMOOYEgejaR+mfUs");
        Self {
            http: json!({"host": "127.0.0.1"}),
            http_fetch: Value::Null,
            auth: json!({"provider": "local", "local": {"users": [
                {"username": "ada", "password_hash": ada, "name": "Ada Falk", "email": "ada@example.com", "role": "admin"},
                {"username": "ben", "password_hash": ben, "role": "analyst"},
            ]}}),
            audit: json!({"enabled": true}),
            tools: BTreeMap::from([("whoami", tool("SELECT get_username() AS username"))]),
        }
    }
}

impl Setup {
    /// The same with a lifetime.
    pub(crate) fn with_lifetime(mut self, name: &str, value: &str) -> Self {
        self.auth["lifetimes"][name] = json!(value);
        self
    }

    /// The same with sign-ins kept in the project's folder.
    pub(crate) fn with_persistence(mut self, kind: &str) -> Self {
        self.auth["persistence"] = json!({"type": kind, "path": format!("kept/oauth.{kind}")});
        self
    }

    /// The same with clients of the configuration.
    pub(crate) fn with_clients(mut self, clients: Value) -> Self {
        self.auth["clients"] = clients;
        self
    }

    /// The same with another tool without parameters.
    pub(crate) fn with_tool(mut self, name: &'static str, sql: &str) -> Self {
        self.tools.insert(name, tool(sql));
        self
    }

    /// The user configuration.
    pub(crate) fn user_file(&self) -> String {
        let profile = json!({"default": {"auth": self.auth}});
        let projects = json!({"bookshop": {"profiles": profile}});
        let transport = json!({"http": self.http});
        json!({"mxcp": 1, "transport": transport, "http_fetch": self.http_fetch, "projects": projects}).to_string()
    }

    /// The project on disk.
    pub(crate) fn write(&self) -> Project {
        let site = json!({
            "mxcp": 1, "project": "bookshop", "profile": "default",
            "profiles": {"default": {"audit": self.audit}},
        });
        let project = Project::new(&site.to_string()).with_user(&self.user_file());
        for (name, tool) in &self.tools {
            let mut tool = tool.clone();
            tool["name"] = json!(name);
            project.write(&format!("tools/{name}.yml"), &json!({"mxcp": 1, "tool": tool}).to_string());
        }
        project
    }
}

fn tool(sql: &str) -> Value {
    json!({"description": "A tool of the tests", "parameters": [], "source": {"code": sql}})
}

/// A running daemon. Dropping it stops it, and fails the test when that does not work.
pub(crate) struct TestApp {
    /// Where it listens, without a trailing slash.
    pub(crate) address: String,
    /// What it calls itself.
    pub(crate) issuer: String,
    /// A client that follows no redirects and keeps no cookies and no connections.
    pub(crate) http: Client,
    project: Project,
    running: Option<Running>,
}

struct Running {
    stop: oneshot::Sender<()>,
    stopped: mpsc::Receiver<anyhow::Result<()>>,
    thread: JoinHandle<()>,
}

impl TestApp {
    /// The usual daemon.
    pub(crate) async fn start() -> Self {
        Self::with(Setup::default()).await
    }

    /// A daemon that is set up otherwise.
    pub(crate) async fn with(setup: Setup) -> Self {
        let mut app = Self::outside(setup.write(), 0);
        app.run(0).await;
        app
    }

    /// A daemon on that port that the test starts by itself.
    pub(crate) fn outside(project: Project, port: u16) -> Self {
        let http = Client::builder().no_proxy().redirect(Policy::none()).pool_max_idle_per_host(0);
        let address = format!("http://127.0.0.1:{port}");
        Self { issuer: address.clone(), address, http: http.build().unwrap(), project, running: None }
    }

    /// Stops the daemon in order, and starts it again where it was, with what was configured then.
    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        self.start_again().await;
    }

    /// Stops the daemon in order.
    pub(crate) async fn stop(&mut self) {
        let stopping = self.begin_stop();
        tokio::task::spawn_blocking(|| stopping.wait()).await.unwrap();
    }

    /// Starts the daemon where it was before it was stopped.
    pub(crate) async fn start_again(&mut self) {
        let port = self.address.rsplit_once(':').unwrap().1.parse().unwrap();
        self.run(port).await;
    }

    /// Why the daemon does not start again.
    pub(crate) async fn refusal(&self) -> String {
        let configuration = self.project.load().unwrap();
        let attempt = std::thread::spawn(move || {
            let options = ServeOptions { port: Some(0), is_stateless: false };
            let start = async move { Daemon::start(&configuration, &options).await.map(drop) };
            format!("{:#}", actix_rt::System::new().block_on(start).unwrap_err())
        });
        tokio::task::spawn_blocking(|| attempt.join()).await.unwrap().unwrap()
    }

    /// Starts the daemon on `port`, or on a free one.
    async fn run(&mut self, port: u16) {
        let configuration = self.project.load().unwrap();
        let (stop, is_stopped) = oneshot::channel();
        let (started, starting) = oneshot::channel();
        let (ended, stopped) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let outcome = actix_rt::System::new().block_on(async move {
                let daemon =
                    Daemon::start(&configuration, &ServeOptions { port: Some(port), is_stateless: false }).await?;
                // Nobody waits any more when the test has failed meanwhile.
                let _is_awaited = started.send((daemon.base_url().to_owned(), daemon.port()));
                daemon
                    .run(async {
                        let _dropped_is_as_good = is_stopped.await;
                    })
                    .await
            });
            let _is_awaited = ended.send(outcome);
        });
        let starting = tokio::time::timeout(START_WITHIN, starting).await;
        let Ok((issuer, port)) = starting.unwrap_or_else(|_| panic!("the daemon did not start")) else {
            panic!("{:?}", stopped.recv().unwrap())
        };
        self.address = format!("http://127.0.0.1:{port}");
        self.issuer = issuer;
        self.running = Some(Running { stop, stopped, thread });
    }

    /// The URL of `path` where it listens.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address)
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.http.get(self.url(path))
    }

    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.http.post(self.url(path))
    }

    /// Posts a form.
    pub(crate) async fn post_form(&self, path: &str, form: &[(String, String)]) -> Response {
        self.post(path).form(form).send().await.unwrap()
    }

    /// The address of the protected resource, as it is published.
    pub(crate) fn resource(&self) -> String {
        format!("{}/mcp", self.issuer)
    }

    /// Asks the daemon to stop, as a signal does, and does not wait.
    pub(crate) fn begin_stop(&mut self) -> Stopping {
        let Running { stop, stopped, thread } = self.running.take().unwrap();
        stop.send(()).unwrap();
        Stopping { stopped, thread }
    }

    /// The project's files.
    pub(crate) const fn project(&self) -> &Project {
        &self.project
    }

    /// Everything that the audit log holds, in order.
    pub(crate) fn audit(&self) -> Vec<Value> {
        audit_of(&self.project)
    }
}

/// Everything that the audit log of a project holds, in order.
pub(crate) fn audit_of(project: &Project) -> Vec<Value> {
    let mut files: Vec<PathBuf> = match std::fs::read_dir(project.root().join("audit")) {
        Ok(entries) => entries.map(|entry| entry.unwrap().path()).collect(),
        Err(_) => Vec::new(),
    };
    // What is compressed meanwhile is in the list as either.
    files.retain_mut(|path| {
        let is_compressed = path.extension().is_some_and(|extension| extension == "gz");
        is_compressed && path.set_extension("") || path.extension().is_some_and(|extension| extension == "jsonl")
    });
    files.sort();
    files.dedup();
    let lines = files.iter().map(|path| segment(path));
    let mut records: Vec<Value> = lines
        .flat_map(|text| text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<_>>())
        .collect();
    records.sort_by_key(|record: &Value| record["sequence"].as_u64());
    records
}

/// The text of a segment of the audit log, compressed or not.
fn segment(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|_| {
        let compressed = std::fs::File::open(path.with_extension("jsonl.gz")).unwrap();
        std::io::read_to_string(flate2::read::MultiGzDecoder::new(compressed)).unwrap()
    })
}

/// A daemon that was asked to stop.
pub(crate) struct Stopping {
    stopped: mpsc::Receiver<anyhow::Result<()>>,
    thread: JoinHandle<()>,
}

impl Stopping {
    /// Waits until it has, and fails when it does not or when it stopped for another reason.
    pub(crate) fn wait(self) {
        let outcome = self.stopped.recv_timeout(STOP_WITHIN);
        outcome.unwrap_or_else(|_| panic!("the daemon did not stop")).unwrap();
        self.thread.join().unwrap();
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        // A second panic would hide the first.
        if self.running.is_some() && !std::thread::panicking() {
            self.begin_stop().wait();
        }
    }
}
