//! The real program as a process of its own, serving a copy of the quickstart.

use crate::config_project::Project;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// The daemon, serving a copy of the quickstart on a free port.
pub(crate) struct Daemon {
    process: Child,
    project: TempDir,
    /// The base URL of the pages.
    pub(crate) base_url: String,
}

impl Daemon {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with some variables of the environment.
    pub(crate) fn start_with(environment: &[(&str, &str)]) -> Self {
        let project = TempDir::new().unwrap();
        copy_folder(&repository().join("config-examples/quickstart"), project.path());
        run(mxcp(project.path()).args(["query", "--file", "sql/data.sql"]));
        let log = project.path().join("serve.log");
        let mut serve = mxcp(project.path());
        serve.envs(environment.iter().copied());
        serve.args(["serve", "--port", "0"]).stdout(Stdio::piped()).stderr(File::create(&log).unwrap());
        let mut process = serve.spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut url = None;
        for line in lines.take_while(|line| !line.starts_with("Ready")) {
            url = line.trim().strip_prefix("pages").map(|url| url.trim().to_owned()).or(url);
        }
        let base_url = url.unwrap_or_else(|| panic!("not started: {}", fs::read_to_string(&log).unwrap()));
        Self { process, project, base_url }
    }

    /// The URL of the MCP endpoint.
    pub(crate) fn mcp_url(&self) -> String {
        format!("{}/mcp", self.base_url)
    }

    /// The number of the process.
    pub(crate) fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// Ends the daemon without a chance to tidy up, and returns what `mxcp log` then shows.
    pub(crate) fn log_after_kill(mut self, options: &[&str]) -> String {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        run(mxcp(self.project.path()).arg("log").args(options))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to do.
        let _ended = self.process.kill().and_then(|()| self.process.wait());
    }
}

/// The daemon as a process whose socket outlives it, as under a service manager.
pub(crate) struct Serving {
    process: Child,
}

impl Serving {
    /// Starts the daemon and waits until it says that it is ready.
    pub(crate) fn start(project: &Project, listener: &TcpListener) -> Self {
        let socket: OwnedFd = listener.try_clone().unwrap().into();
        let program = env!("CARGO_BIN_EXE_mxcp");
        let mut command = in_project(project.root(), Command::new("sh"));
        // The socket comes as file 0 and is wanted as file 3 (sd_listen_fds(3)).
        let script = "export LISTEN_PID=$$ LISTEN_FDS=1; exec 3<&0 0</dev/null; exec \"$0\" serve";
        let log = project.root().join("serve.log");
        command.args(["-c", script, program]).stdin(socket).stdout(Stdio::piped());
        command.stderr(File::options().create(true).append(true).open(&log).unwrap());
        let mut process = command.spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
        let is_ready = lines.any(|line| line.starts_with("Ready"));
        assert!(is_ready, "not started: {}", std::fs::read_to_string(&log).unwrap());
        Self { process }
    }

    /// Ends it at once, without a chance to tidy up.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) fn terminate(mut self) {
        assert!(Command::new("kill").arg(self.process.id().to_string()).status().unwrap().success());
        let status = self.process.wait().unwrap();
        assert!(status.success(), "{status}");
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to do.
        let _ended = self.process.kill().and_then(|()| self.process.wait());
    }
}

/// Where the source tree is.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The program in the folder of a project.
pub(crate) fn mxcp(project: &Path) -> Command {
    in_project(project, Command::new(env!("CARGO_BIN_EXE_mxcp")))
}

/// A command in the folder of a project, free of settings from the outside.
fn in_project(project: &Path, mut command: Command) -> Command {
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MXCP_")) {
        command.env_remove(name);
    }
    command.current_dir(project).env("MXCP_CONFIG", "config.yml");
    command
}

/// Runs `command` to its end and returns what it wrote; it must succeed.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} ended with {}:\n{errors}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), target).unwrap();
        } else if entry.file_name() != "data" && entry.file_name() != "audit" {
            copy_folder(&entry.path(), &target);
        }
    }
}
