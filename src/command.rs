//! Runs an operator's command: with a timeout, in a process group of its own, and with its output
//! kept.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::pin::Pin;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;
use tokio::process::{Child, ChildStdin};
use tokio::sync::mpsc::Sender;

pub use bluegreen_core::command::{End, OUTPUT_BYTES_MAX, Ran, Run};

use crate::secrets::{self, Secrets};
use crate::text::end_of;

/// How long a command may take to end after SIGTERM before bluegreen kills it.
const GRACE: Duration = Duration::from_secs(5);

/// How long it may take where this process itself is about to end.
const GRACE_AT_THE_END: Duration = Duration::from_secs(2);

/// How long bluegreen continues to read the output of a command's background processes after the
/// command has ended.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Runs commands to their end.
pub trait Runner: Send + Sync {
    /// Runs this one. Its first lines are sent as it writes them.
    fn run<'a>(
        &'a self,
        run: &'a Run,
        lines: Option<Sender<String>>,
    ) -> Pin<Box<dyn Future<Output = Ran> + Send + 'a>>;
}

/// Runs commands as processes of this machine, as [`run`] does.
#[derive(Clone, Copy, Debug)]
pub struct Processes;

impl Runner for Processes {
    fn run<'a>(
        &'a self,
        run: &'a Run,
        lines: Option<Sender<String>>,
    ) -> Pin<Box<dyn Future<Output = Ran> + Send + 'a>> {
        Box::pin(run_told(run, lines))
    }
}

/// Runs a command to its end. At its timeout, and where this future is dropped, the command and
/// everything that it has started gets SIGTERM, and SIGKILL some seconds later. What a command
/// leaves running when it ends by itself keeps running. Where this process is killed, they are
/// killed too.
///
/// It inherits this process's variables and folder.
pub async fn run(run: &Run) -> Ran {
    run_told(run, None).await
}

async fn run_told(run: &Run, lines: Option<Sender<String>>) -> Ran {
    let began = Instant::now();
    let secrets = secrets::of_this_process(&run.secret);
    let mut heard = Heard {
        tail: Tail::default(),
        lines: lines.map(|to| Lines {
            to,
            secrets: &secrets,
            begun: Vec::new(),
            sent: 0,
        }),
    };
    let end = match Group::start(run) {
        Err(error) => End::Failed(error.to_string()),
        Ok((group, stdin, output)) => attend(run, group, stdin, output, &mut heard).await,
    };
    Ran {
        end,
        output: heard.tail.text(&secrets),
        lasted: began.elapsed(),
    }
}

async fn attend(
    run: &Run,
    mut group: Group,
    stdin: Option<ChildStdin>,
    output: pipe::Receiver,
    heard: &mut Heard<'_>,
) -> End {
    let feeding = feed(stdin, &run.input);
    let reading = read(output, heard);
    let timer = tokio::time::sleep(run.limit);
    tokio::pin!(feeding, reading, timer);
    let (mut is_fed, mut is_read, mut is_over) = (false, false, false);
    let ended = loop {
        tokio::select! {
            ended = group.child.wait() => break ended,
            () = &mut feeding, if !is_fed => is_fed = true,
            () = &mut reading, if !is_read => is_read = true,
            () = &mut timer => {
                group.signal(if is_over { Signal::KILL } else { Signal::TERM });
                is_over = true;
                timer.as_mut().reset(tokio::time::Instant::now() + GRACE);
            }
        }
    };
    if is_over {
        // Its children may have outlived it.
        group.signal(Signal::KILL);
    }
    group.end();
    if !is_read {
        let _ = tokio::time::timeout(LAST_WORDS, reading).await;
    }
    match ended {
        _ if is_over => End::OverLimit(run.limit),
        Ok(status) => end_of_process(status),
        Err(error) => End::Failed(error.to_string()),
    }
}

fn end_of_process(status: ExitStatus) -> End {
    match (status.code(), status.signal()) {
        (Some(code), _) => End::Exited(code),
        (None, signal) => End::Signalled(signal.unwrap_or_default()),
    }
}

/// Writes all of `input`; a command that does not read it is no error.
async fn feed(stdin: Option<ChildStdin>, input: &[u8]) {
    if let Some(mut stdin) = stdin {
        let _ = stdin.write_all(input).await;
        let _ = stdin.shutdown().await;
    }
}

async fn read(mut output: pipe::Receiver, heard: &mut Heard<'_>) {
    let mut buffer = [0; 8 * 1024];
    while let Ok(length @ 1..) = output.read(&mut buffer).await {
        heard.tail.push(&buffer[..length]);
        if let Some(lines) = &mut heard.lines {
            lines.push(&buffer[..length]);
        }
    }
    if let Some(lines) = &mut heard.lines {
        lines.end();
    }
}

/// What a command writes: its end, which is kept, and its first lines, for who watches.
struct Heard<'a> {
    tail: Tail,
    lines: Option<Lines<'a>>,
}

/// How many lines of a command are sent while it runs.
const LINES_MAX: usize = 200;

/// How many bytes of a line are sent.
const LINE_BYTES_MAX: usize = 500;

/// The first lines of an output, each sent once it is whole.
struct Lines<'a> {
    to: Sender<String>,
    secrets: &'a Secrets,
    begun: Vec<u8>,
    sent: usize,
}

impl Lines<'_> {
    fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                b'\n' => self.end(),
                _ if self.begun.len() < LINE_BYTES_MAX => self.begun.push(*byte),
                _ => {}
            }
        }
    }

    /// Tells the line that was begun. Where nobody takes lines as fast as they come, it is left
    /// out: the command does not wait.
    fn end(&mut self) {
        let begun = std::mem::take(&mut self.begun);
        let line = self
            .secrets
            .hide(String::from_utf8_lossy(&begun).trim_end());
        if line.is_empty() || self.sent > LINES_MAX {
            return;
        }
        let told = match self.sent {
            LINES_MAX => "more lines follow; `bluegreen status ID` shows the last ones".to_owned(),
            _ => line,
        };
        self.sent += 1;
        let _ = self.to.try_send(told);
    }
}

/// Leads the group of a command and kills it, itself last, once the process that started it is gone
/// without a word: the other end of its standard input closes with that process however that ends.
/// A line on its standard input says that the command has ended by itself.
const GUARD: &str = "trap '' HUP INT TERM; read -r _ || kill -KILL 0";

/// A running command, in a process group of its own that its guard leads.
struct Group {
    child: Child,
    id: Option<Pid>,
    has_ended: bool,
    /// Tells the guard that the command has ended by itself.
    guard: io::PipeWriter,
    /// Waited for by the runtime, once it has ended.
    _guarding: Child,
}

impl Group {
    fn start(run: &Run) -> io::Result<(Group, Option<ChildStdin>, pipe::Receiver)> {
        // One pipe for both: what is written is read in its order.
        let (reader, writer) = io::pipe()?;
        let reader = pipe::Receiver::from_owned_fd(OwnedFd::from(reader))?;
        let stdin = if run.input.is_empty() {
            Stdio::null()
        } else {
            Stdio::piped()
        };
        let variables = run.variables.iter().map(|(name, value)| (name, value));
        // It stands before the command does, so that nothing is ever without it.
        let (ending, guard) = io::pipe()?;
        let guarding = tokio::process::Command::new("sh")
            .args(["-c", GUARD])
            .stdin(ending)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let id = guarding.id().and_then(|id| i32::try_from(id).ok());
        let mut child = tokio::process::Command::new("sh")
            .args(["-c", &run.command])
            .envs(variables)
            .stdin(stdin)
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .process_group(id.unwrap_or_default())
            .spawn()?;
        let stdin = child.stdin.take();
        let group = Group {
            id: id.and_then(Pid::from_raw),
            child,
            has_ended: false,
            guard,
            _guarding: guarding,
        };
        Ok((group, stdin, reader))
    }

    /// What the command has left running keeps running.
    fn end(&mut self) {
        self.has_ended = true;
        // A guard that was killed with the group needs no word.
        let _ = self.guard.write_all(b"\n");
    }

    /// A group that is already gone takes no signal, which is no error.
    fn signal(&self, signal: Signal) {
        if let Some(id) = self.id {
            let _ = kill_process_group(id, signal);
        }
    }
}

/// Nothing of a command may outlive the future that waits for it. This process may be about to end,
/// so `drop` waits for the command.
impl Drop for Group {
    fn drop(&mut self) {
        if self.has_ended {
            return;
        }
        self.signal(Signal::TERM);
        let since = Instant::now();
        while since.elapsed() < GRACE_AT_THE_END && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(10));
        }
        self.signal(Signal::KILL);
    }
}

/// The end of an output that may be long.
#[derive(Default)]
struct Tail {
    bytes: VecDeque<u8>,
    left_out: usize,
}

impl Tail {
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
        // Twice as much as is kept: a secret is found although its begin is cut off later.
        let surplus = self.bytes.len().saturating_sub(2 * OUTPUT_BYTES_MAX);
        self.bytes.drain(..surplus);
        self.left_out += surplus;
    }

    fn text(self, secrets: &Secrets) -> String {
        let bytes = Vec::from(self.bytes);
        let text = secrets.hide(&String::from_utf8_lossy(&bytes));
        let kept = end_of(&text, OUTPUT_BYTES_MAX);
        match self.left_out + text.len() - kept.len() {
            0 => kept.to_owned(),
            left_out => format!("[{left_out} bytes before this are left out]\n{kept}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rustix::process::kill_process;
    use serde_json::{Value, json};

    use super::*;
    use crate::hooks::{HookTable, Passage, document};
    use crate::machine::Kind;

    fn command(command: &str) -> Run {
        Run {
            command: command.to_owned(),
            limit: Duration::from_secs(20),
            ..Run::default()
        }
    }

    #[tokio::test]
    async fn output_is_kept_in_order_and_the_end_is_told() {
        for (text, end, output, words) in [
            (
                "echo a; echo b >&2; echo c",
                End::Exited(0),
                "a\nb\nc\n",
                "exit code 0: c",
            ),
            (
                "echo no >&2; exit 3",
                End::Exited(3),
                "no\n",
                "exit code 3: no",
            ),
            ("kill -9 $$", End::Signalled(9), "", "killed by signal 9"),
            (
                "printf 'a\\377b'",
                End::Exited(0),
                "a\u{fffd}b",
                "exit code 0: a\u{fffd}b",
            ),
        ] {
            let ran = run(&command(text)).await;
            assert_eq!((&ran.end, ran.output.as_str()), (&end, output), "{text}");
            assert_eq!(ran.in_words(), words);
            assert_eq!(ran.passed(), end == End::Exited(0));
        }
    }

    #[tokio::test]
    async fn it_gets_variables_and_input_and_need_not_read_it() {
        let mut reads = command("cat; echo \"$GREETING, $HOME\"");
        reads.variables = vec![("GREETING".to_owned(), "hello".to_owned())];
        reads.input = b"{}\n".to_vec();
        let home = std::env::var("HOME").unwrap_or_default();
        assert_eq!(run(&reads).await.output, format!("{{}}\nhello, {home}\n"));
        let mut deaf = command("exit 0");
        deaf.input = vec![b'x'; 1024 * 1024];
        assert!(run(&deaf).await.passed());
    }

    #[tokio::test]
    async fn only_the_end_of_a_long_output_is_kept() {
        let ran = run(&command(
            "head -c 200000 /dev/zero | tr '\\0' x; echo; echo last",
        ))
        .await;
        assert!(ran.output.starts_with("[134"), "{}", &ran.output[..60]);
        assert!(ran.output.ends_with("x\nlast\n"));
        assert!(ran.output.len() < OUTPUT_BYTES_MAX + 60);
    }

    #[tokio::test]
    async fn its_first_lines_are_told_as_it_writes_them_and_without_secrets() {
        let folder = tempfile::tempdir().expect("a folder");
        let go = folder.path().join("go");
        let text = format!(
            "echo first; until [ -e {} ]; do sleep 0.01; done; echo at $HOME; printf last",
            go.display()
        );
        let mut slow = command(&text);
        slow.secret = vec!["HOME".to_owned()];
        let (sender, mut lines) = tokio::sync::mpsc::channel(8);
        let ran = Processes.run(&slow, Some(sender));
        let (ran, told) = tokio::join!(ran, async {
            let mut told = vec![lines.recv().await.expect("a line")];
            // Only now may it end.
            std::fs::write(&go, "").expect("it is written");
            while let Some(line) = lines.recv().await {
                told.push(line);
            }
            told
        });
        assert!(ran.passed(), "{ran:?}");
        assert_eq!(told, ["first", "at ***", "last"]);
    }

    #[tokio::test]
    async fn a_flood_of_lines_is_cut_and_holds_nobody_up() {
        let (sender, mut lines) = tokio::sync::mpsc::channel(1000);
        let flood = command("yes 0123456789 | head -n 100000");
        let ran = Processes.run(&flood, Some(sender)).await;
        assert!(ran.passed(), "{ran:?}");
        let mut told = Vec::new();
        while let Ok(line) = lines.try_recv() {
            told.push(line);
        }
        assert_eq!(told.len(), LINES_MAX + 1);
        assert!(told[LINES_MAX].contains("more lines follow"));
    }

    fn is_alive(id: &str) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", id.trim()));
        stat.is_ok_and(|stat| !stat.contains(") Z "))
    }

    /// A signal takes a moment to arrive.
    async fn dies(id: &str) -> bool {
        let since = Instant::now();
        while is_alive(id) && since.elapsed() < Duration::from_secs(20) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        !is_alive(id)
    }

    /// The id of a process, once that has written it.
    async fn written(path: &Path) -> String {
        loop {
            match std::fs::read_to_string(path) {
                Ok(id) if id.ends_with('\n') => break id,
                _ => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    }

    /// Time passes for the timers, and none for the processes.
    async fn pass(time: Duration) {
        tokio::time::pause();
        tokio::time::advance(time).await;
        tokio::time::resume();
        for _ in 0..2 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    #[tokio::test]
    async fn at_its_limit_it_ends_with_its_children() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path().join("id");
        let text = "trap 'echo bye' TERM; sleep 60 & echo $! >";
        let slow = command(&format!("{text}{}; wait", at.display()));
        let (ran, ()) = tokio::join!(run(&slow), async {
            let id = written(&at).await;
            pass(slow.limit).await;
            assert!(dies(&id).await);
        });
        assert_eq!(ran.end, End::OverLimit(slow.limit));
        assert_eq!(ran.end.to_string(), "stopped after its limit of 20s");
        assert_eq!(ran.output, "bye\n");
    }

    #[tokio::test]
    async fn what_does_not_listen_is_killed_after_a_while() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path().join("id");
        let deaf = format!("trap '' TERM; echo $$ >{}; sleep 60; true", at.display());
        let deaf = command(&format!(
            "trap '' TERM; sh -c \"{}\"",
            deaf.replace('$', "\\$")
        ));
        let (ran, ()) = tokio::join!(run(&deaf), async {
            let id = written(&at).await;
            pass(deaf.limit).await;
            assert!(is_alive(&id), "it has been told only");
            pass(GRACE).await;
            assert!(dies(&id).await);
        });
        assert_eq!(ran.end, End::OverLimit(deaf.limit));
    }

    #[tokio::test]
    async fn whoever_stops_waiting_stops_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path().join("id");
        let slow = command(&format!("sleep 60 & echo $! >{}; wait", at.display()));
        let id = tokio::select! {
            ran = run(&slow) => panic!("{ran:?}"),
            id = written(&at) => id,
        };
        assert!(dies(&id).await);
    }

    #[tokio::test]
    async fn what_it_leaves_running_holds_nobody_up() {
        let ran = run(&command("sleep 60 & echo $!")).await;
        assert_eq!(ran.end, End::Exited(0));
        assert!(is_alive(&ran.output));
        let id = ran.output.trim().parse().ok().and_then(Pid::from_raw);
        kill_process(id.expect("an id"), Signal::KILL).expect("it is there");
    }

    #[tokio::test]
    async fn what_tests_refer_to_is_left_out_of_the_output() {
        let home = std::env::var("HOME").expect("a home");
        let mut tells = command("echo \"at $HOME\"");
        assert_eq!(run(&tells).await.output, format!("at {home}\n"));
        tells.secret = vec!["HOME".to_owned()];
        assert_eq!(run(&tells).await.output, "at ***\n");
    }

    #[tokio::test]
    async fn a_hook_reads_the_deployment_and_the_change() {
        let hook = HookTable::inline(
            r#"{ when = "before", stage = "testing", on-failure = "ignore",
                 command = "cat; echo $BLUEGREEN_ID $BLUEGREEN_HOOK_WHEN $BLUEGREEN_STAGE" }"#,
        );
        let hook = hook.and_then(HookTable::check).expect("a hook");
        let passage = Passage {
            from: Some(Kind::Deploying),
            to: Kind::Testing,
        };
        let document = document(&hook, passage, &json!({ "id": "01J" }));
        let ran = run(&hook.run("01J", &document)).await;
        let (read, variables) = ran.output.split_once('\n').expect("two lines");
        assert_eq!(variables, "01J before Testing\n");
        let read: Value = serde_json::from_str(read).expect("JSON");
        let expected = json!({
            "version": 1,
            "hook": { "when": "before", "stage": "Testing" },
            "transition": { "from": "Deploying", "to": "Testing" },
            "deployment": { "id": "01J" },
        });
        assert_eq!(read, expected);
    }
}
