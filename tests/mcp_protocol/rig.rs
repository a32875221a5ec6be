//! The MCP endpoint on a real socket, with the real actors and an engine that does as its SQL
//! text says.

use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::web::Data;
use actix_web::{App, HttpServer};
use mxcp::http::auth::ResourceGuard;
use mxcp::http::host_guard::{self, Names, NamesOf};
use mxcp::http::mcp::{self, McpOptions, McpShared, McpState, McpTimes, StreamLimits};
use mxcp::http::request_id;
use mxcp_actors::authorization::{LoginMethod, LoginMethods};
use mxcp_actors::model::endpoint::EndpointForm;
use mxcp_actors::model::ids::{ClientId, UserId};
use mxcp_actors::model::policy::{PolicyAction, PolicyRule, PolicySet};
use mxcp_actors::model::principal::User;
use mxcp_actors::model::resource::Resource;
use mxcp_actors::model::schema::{TypeDefinition, TypeKind};
use mxcp_actors::model::scope::ScopeSet;
use mxcp_actors::model::sql_value::{Column, SqlRows, SqlValue};
use mxcp_actors::model::tool::{Parameter, ToolAnnotations, ToolDefinition};
use mxcp_actors::policy::{Endpoint, PolicyBook};
use mxcp_actors::ports::PortFuture;
use mxcp_actors::ports::in_memory::{MemoryAssertions, MemoryClients, MemoryGrants, MemorySessions};
use mxcp_actors::ports::sql_engine::{SqlEngine, SqlError, SqlQuery};
use mxcp_actors::sessions::NewSession;
use mxcp_actors::settings::{Lifetimes, Settings};
use mxcp_actors::supervisor::{Definitions, Ports, Supervisor};
use mxcp_actors::testkit::fake_idp::FakeIdp;
use mxcp_actors::testkit::fake_key_source::FakeKeySource;
use mxcp_actors::testkit::fake_signatures::FakeSignatures;
use mxcp_actors::testkit::memory_audit::MemoryAudit;
use mxcp_actors::testkit::seeded_entropy::SeededEntropy;
use mxcp_actors::testkit::tokio_clock::TokioClock;
use mxcp_actors::tool_calls::ToolCatalog;
use reqwest::Method;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use url::Url;

/// How a test's server differs from the usual one.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    pub(super) is_protected: bool,
    pub(super) is_stateless: bool,
    pub(super) required_scopes: &'static str,
    pub(super) times: McpTimes,
    pub(super) body_max: usize,
    pub(super) stream_limits: StreamLimits,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            is_protected: true,
            is_stateless: false,
            required_scopes: "",
            times: McpTimes::default(),
            body_max: 64 * 1024,
            stream_limits: StreamLimits::default(),
        }
    }
}

/// A running server.
pub(super) struct TestServer {
    pub(super) base: Url,
    pub(super) supervisor: Supervisor,
    pub(super) engine: Arc<ScriptedEngine>,
    pub(super) audit: Arc<MemoryAudit>,
    pub(super) http: reqwest::Client,
    pub(super) stopping: watch::Sender<bool>,
    pub(super) server: ServerHandle,
}

impl TestServer {
    pub(super) async fn start(setup: Setup) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let base = Url::parse(&format!("http://localhost:{port}")).unwrap();
        let (engine, audit) = (Arc::new(ScriptedEngine::default()), Arc::new(MemoryAudit::default()));
        let settings = settings(&base, setup.required_scopes);
        let definitions = definitions();
        let supervisor =
            Supervisor::start(ports(&engine, &audit), settings.clone(), definitions.clone()).await.unwrap();

        let names = Arc::new(Names::new(&NamesOf {
            base_url: &base,
            port,
            allowed_hosts: &[],
            allowed_origins: &["https://app.example.com".to_owned()],
            needs_token: setup.is_protected,
        }));
        let handles = supervisor.handles();
        let guard = if setup.is_protected {
            ResourceGuard::closed(handles.sessions.clone(), &settings).unwrap()
        } else {
            ResourceGuard::open()
        };
        let (stopping, is_stopping) = watch::channel(false);
        let options = McpOptions {
            guard: Arc::new(guard),
            names: Arc::clone(&names),
            sessions: (!setup.is_stateless).then(|| handles.mcp_sessions.clone()),
            instructions: None,
            body_max: setup.body_max,
            is_stopping,
        };
        let shared = McpShared::new(&definitions.catalog, options).unwrap();
        let shared = Arc::new(shared.with_times(setup.times).with_stream_limits(setup.stream_limits));
        let workers = supervisor.workers().clone();
        let server = HttpServer::new(move || {
            let state = McpState::new(Arc::clone(&shared), workers.start().tool_calls);
            App::new()
                .app_data(Data::from(Arc::clone(&names)))
                .wrap(from_fn(host_guard::check_host))
                .wrap(from_fn(request_id::assign))
                .configure(|config| mcp::configure(config, &state))
        })
        .workers(2)
        .h1_allow_half_closed(false)
        .shutdown_timeout(5)
        .disable_signals()
        .listen(listener)
        .unwrap()
        .run();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { base, supervisor, engine, audit, http, stopping, server: handle }
    }

    /// Opens a session at the authorization server and returns an access token of it.
    pub(super) async fn token(&self, user: &str, client: &str) -> String {
        self.token_for(user, client, "mxcp:access", &format!("{}mcp", self.base)).await
    }

    pub(super) async fn token_for(&self, user: &str, client: &str, scopes: &str, resource: &str) -> String {
        let sessions = &self.supervisor.handles().sessions;
        let session = NewSession {
            client_id: Some(ClientId::new(client)),
            user: person(user),
            scopes: ScopeSet::parse(scopes).unwrap(),
            resource: Resource::parse(resource).unwrap(),
            upstream: None,
        };
        let opened = sessions.open_session(session).await.unwrap();
        let tokens = sessions.issue_tokens(opened.id, false).await.unwrap();
        tokens.access_token.expose().to_owned()
    }

    /// A request to the endpoint, as far as every client sends it.
    pub(super) fn request(&self, method: Method) -> reqwest::RequestBuilder {
        self.http
            .request(method, format!("{}mcp", self.base))
            .header("accept", "application/json, text/event-stream")
            .timeout(Duration::from_secs(20))
    }

    /// A POST of a legacy message.
    pub(super) fn post(&self, token: &str, message: &Value) -> reqwest::RequestBuilder {
        self.request(Method::POST).bearer_auth(token).json(message)
    }

    /// Opens an MCP session and returns its name.
    pub(super) async fn open_mcp_session(&self, token: &str) -> String {
        let answer = self.post(token, &initialize("2025-11-25")).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.headers()["mcp-session-id"].to_str().unwrap().to_owned()
    }

    /// A modern call of a tool.
    pub(super) fn call(&self, token: &str, tool: &str, arguments: &Value) -> reqwest::RequestBuilder {
        let message = modern("tools/call", json!({"name": tool, "arguments": arguments}));
        self.post(token, &message)
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", "tools/call")
            .header("mcp-name", tool)
    }
}

pub(super) fn initialize(version: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "test", "version": "1"},
    }})
}

pub(super) fn legacy(id: &Value, method: &str, params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

pub(super) fn modern(method: &str, mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    legacy(&json!(1), method, &params)
}

fn person(name: &str) -> User {
    User {
        id: UserId::of("fake", name),
        provider: "fake".into(),
        subject: name.into(),
        username: name.into(),
        email: Some(format!("{name}@example.com")),
        email_verified: true,
        name: None,
        role: None,
        permissions: Vec::new(),
        groups: Vec::new(),
        capabilities: Vec::new(),
        claims: json!({}),
    }
}

fn settings(base: &Url, required_scopes: &str) -> Settings {
    Settings {
        issuer: base.as_str().trim_end_matches('/').to_owned(),
        resource: Resource::parse(&format!("{base}mcp")).unwrap(),
        alias_origins: Vec::new(),
        is_origin_an_alias: true,
        lifetimes: Lifetimes::default(),
        required_scopes: ScopeSet::parse(required_scopes).unwrap(),
        further_default_scopes: ScopeSet::default(),
        further_scopes: ScopeSet::default(),
        configured_clients: Vec::new(),
        is_registration_open: true,
        registered_clients_max: 10,
        client_documents: None,
        audit_viewers: Vec::new(),
        query_deadline: Duration::from_secs(60),
        query_rows_max: 100,
    }
}

fn ports(engine: &Arc<ScriptedEngine>, audit: &Arc<MemoryAudit>) -> Ports {
    let clock = Arc::new(TokioClock::default());
    Ports {
        // Sessions are of people of the provider that is configured.
        login_methods: LoginMethods::new(vec![LoginMethod::Provider(Arc::new(FakeIdp::new(Arc::clone(&clock) as _)))]),
        clock,
        entropy: Arc::new(SeededEntropy::new(7)),
        audit_store: Arc::clone(audit) as _,
        client_store: Arc::new(MemoryClients::default()),
        assertion_store: Arc::new(MemoryAssertions::default()),
        signature_verifier: Arc::new(FakeSignatures),
        client_key_source: Arc::new(FakeKeySource::default()),
        client_metadata_source: None,
        grant_store: Arc::new(MemoryGrants::default()),
        session_store: Arc::new(MemorySessions::default()),
        sql_engine: Arc::clone(engine) as _,
    }
}

fn definitions() -> Definitions {
    let tools = tools();
    let endpoints = tools.iter().map(|tool| Endpoint {
        kind: tool.kind(),
        name: tool.name.clone(),
        parameters: tool.parameters.iter().map(|parameter| parameter.name.clone()).collect(),
        returns: tool.returns.clone(),
        policies: tool.policies.clone(),
    });
    let policy_book = Arc::new(PolicyBook::compile(&PolicySet::default(), endpoints.collect()).unwrap());
    Definitions {
        catalog: Arc::new(ToolCatalog::build(tools).unwrap()),
        policy_book,
        user_mapping: Arc::default(),
        scope_rules: Arc::default(),
    }
}

fn tools() -> Vec<ToolDefinition> {
    let object = || Some(TypeDefinition::of(TypeKind::Object));
    let list = || {
        let mut list = TypeDefinition::of(TypeKind::Array);
        list.items = Some(Box::new(TypeDefinition::of(TypeKind::Integer)));
        Some(list)
    };
    let name = || vec![Parameter { name: "name".into(), of: TypeDefinition::of(TypeKind::String) }];
    let mut greet = tool("greet", "greet", name(), object());
    greet.description = Some("Greets somebody".into());
    greet.annotations = ToolAnnotations { read_only: Some(true), ..ToolAnnotations::default() };
    let mut secret = tool("secret", "rows", Vec::new(), None);
    secret.policies = PolicySet {
        input: vec![PolicyRule {
            condition: "user.username != 'root'".into(),
            action: PolicyAction::Deny,
            reason: Some("root only".into()),
            fields: Vec::new(),
        }],
        output: Vec::new(),
    };
    vec![
        greet,
        secret,
        tool("broken", "broken", Vec::new(), None),
        tool("empty", "empty", Vec::new(), None),
        tool("numbers", "numbers", Vec::new(), list()),
        tool("rows", "rows", Vec::new(), None),
        tool("total", "total", Vec::new(), Some(TypeDefinition::of(TypeKind::Integer))),
        tool("wait", "wait", Vec::new(), None),
        tool("grüße", "rows", Vec::new(), None),
    ]
}

fn tool(name: &str, sql: &str, parameters: Vec<Parameter>, returns: Option<TypeDefinition>) -> ToolDefinition {
    ToolDefinition {
        name: name.into(),
        form: EndpointForm::Tool,
        description: None,
        tags: Vec::new(),
        annotations: ToolAnnotations::default(),
        parameters,
        returns,
        sql: sql.into(),
        needs_external_token: false,
        scopes: ScopeSet::default(),
        policies: PolicySet::default(),
        path: format!("tools/{name}.yml").into(),
    }
}

/// Answers by the text of the query. `wait` runs until it is released or interrupted.
#[derive(Debug)]
pub(super) struct ScriptedEngine {
    running: watch::Sender<usize>,
    interrupted: watch::Sender<usize>,
    released: watch::Sender<bool>,
}

impl Default for ScriptedEngine {
    fn default() -> Self {
        Self { running: watch::Sender::new(0), interrupted: watch::Sender::new(0), released: watch::Sender::new(false) }
    }
}

impl ScriptedEngine {
    /// Waits until that many queries wait.
    pub(super) async fn wait_for_running(&self, count: usize) {
        self.running.subscribe().wait_for(|running| *running == count).await.unwrap();
    }

    /// Waits until that many queries were interrupted.
    pub(super) async fn wait_for_interrupted(&self, count: usize) {
        let mut interrupted = self.interrupted.subscribe();
        let wait = interrupted.wait_for(|interrupted| *interrupted == count);
        tokio::time::timeout(Duration::from_secs(10), wait).await.expect("nothing was interrupted").unwrap();
    }

    /// Lets waiting queries finish.
    pub(super) fn release(&self) {
        self.released.send_replace(true);
    }
}

/// Counts a query as interrupted unless it came to its end.
struct Running<'a>(&'a ScriptedEngine, bool);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.send_modify(|running| *running -= 1);
        if !self.1 {
            self.0.interrupted.send_modify(|interrupted| *interrupted += 1);
        }
    }
}

impl SqlEngine for ScriptedEngine {
    fn query(&self, query: SqlQuery) -> PortFuture<'_, Result<SqlRows, SqlError>> {
        Box::pin(async move {
            match &*query.sql {
                "greet" => {
                    let name = query.arguments.iter().find(|(name, _)| name == "name").map(|(_, value)| value);
                    let Some(SqlValue::Text(name)) = name else { panic!("no name was bound") };
                    Ok(rows("greeting", [json!(format!("hello {name}"))]))
                }
                "rows" => Ok(rows("n", [json!(1), json!(2)])),
                "numbers" => Ok(rows("n", [json!(1), json!(2), json!(3)])),
                "total" => Ok(rows("n", [json!(6)])),
                "empty" => Ok(rows("n", [])),
                "broken" => Err(SqlError::Failed("no such table".into())),
                "wait" => {
                    self.running.send_modify(|running| *running += 1);
                    let mut running = Running(self, false);
                    self.released.subscribe().wait_for(|released| *released).await.unwrap();
                    running.1 = true;
                    Ok(rows("n", [json!(1)]))
                }
                other => panic!("no script for {other}"),
            }
        })
    }

    fn describe(&self, _: Arc<str>) -> PortFuture<'_, Result<Vec<String>, SqlError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

fn rows<const N: usize>(column: &str, values: [Value; N]) -> SqlRows {
    SqlRows {
        columns: vec![Column { name: column.to_owned() }],
        rows: values.into_iter().map(|value| Map::from_iter([(column.to_owned(), value)])).collect(),
    }
}

/// Whether everything that `expected` names is in `actual`. `"*"` is any value, null is none;
/// lists must agree in length.
pub(super) fn assert_holds(case: &str, path: &str, expected: &Value, actual: Option<&Value>) {
    match (expected, actual) {
        (Value::Null, actual) => assert!(actual.is_none(), "{case}: {path} is {actual:?}"),
        (Value::String(any), Some(_)) if any == "*" => {}
        (Value::Object(fields), Some(Value::Object(given))) => {
            for (name, expected) in fields {
                assert_holds(case, &format!("{path}.{name}"), expected, given.get(name));
            }
        }
        (Value::Array(items), Some(Value::Array(given))) => {
            assert_eq!(items.len(), given.len(), "{case}: {path} is {given:?}");
            for (index, (expected, actual)) in items.iter().zip(given).enumerate() {
                assert_holds(case, &format!("{path}[{index}]"), expected, Some(actual));
            }
        }
        (expected, actual) => assert_eq!(Some(expected), actual, "{case}: {path}"),
    }
}

/// Texts by name.
pub(super) type Texts = BTreeMap<String, Option<String>>;
