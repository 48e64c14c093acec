//! What a person watches: the live view on a terminal, and elsewhere lines of the log with a
//! heartbeat.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use console::Term;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::task::JoinHandle;
use tracing::{Level, info};

use crate::clock::Clock;
use crate::config::{LogFormat, Options};
use crate::deployment::Deployment;
use crate::events::{DeploymentEvent, Listener};
use crate::report::listeners::Lines;
use crate::report::live::Live;
use crate::session::surroundings;
use crate::store::Store;

/// How often the view is drawn where nothing happens.
const TICK: Duration = Duration::from_millis(500);

/// How often a log says what the deployment does, where nothing else happens.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// The view that is drawn on this terminal now: other output goes above it.
static DRAWN: Mutex<Option<MultiProgress>> = Mutex::new(None);

/// Writes to standard error, above the live view where there is one.
pub(super) fn above_the_view<T>(write: impl FnOnce() -> T) -> T {
    let drawn = DRAWN.lock().unwrap_or_else(PoisonError::into_inner).clone();
    match drawn {
        Some(bars) => bars.suspend(write),
        None => write(),
    }
}

/// Removes the live view, where there is one: what is printed now is what stays.
pub(super) fn remove_the_view() {
    let drawn = DRAWN.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(bars) = drawn {
        let _ = bars.clear();
        bars.set_draw_target(ProgressDrawTarget::hidden());
    }
}

/// Watches the deployment that this process carries on.
pub(super) struct Screen {
    shared: Arc<Shared>,
    ticking: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    journal: PathBuf,
    clock: Clock,
    live: Mutex<Option<Live>>,
    /// The block of lines that is drawn; `None` where there is a log instead.
    block: Option<Block>,
}

/// A block of lines at the foot of the terminal.
pub(super) struct Block {
    lines: ProgressBar,
    has_colours: bool,
}

impl Block {
    /// A block on standard error.
    pub fn new(options: &Options) -> Block {
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        let lines = bars.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            lines.set_style(style);
        }
        *DRAWN.lock().unwrap_or_else(PoisonError::into_inner) = Some(bars);
        Block {
            lines,
            has_colours: options.color.is_on(true),
        }
    }

    /// Draws a view in place of the one before.
    pub fn draw(&self, live: &Live, clock: &Clock) {
        self.draw_lines(|size| live.frame(clock.now(), size));
    }

    /// Draws the lines that `of` makes for a width and a height, in place of those before.
    pub fn draw_lines(&self, of: impl FnOnce((usize, usize)) -> Vec<String>) {
        let (rows, columns) = Term::stderr().size();
        // The last column is left free: a terminal may begin a new line after it.
        let width = usize::from(columns).saturating_sub(1);
        let rows = usize::from(rows).saturating_sub(1);
        let text = of((width, rows)).join("\n");
        self.lines.set_message(match self.has_colours {
            true => text,
            false => console::strip_ansi_codes(&text).into_owned(),
        });
        // A terminal's ^C would begin a new line at the end of this one, and upset the count.
        let _ = Term::stderr().write_str("\r");
    }
}

/// Whether a person watches standard error, on a terminal that can redraw.
pub(super) fn is_watched(options: &Options) -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb" || term.is_empty());
    let is_ci = is_ci::cached() || set("CI");
    let is_plain = options.quiet || options.verbose > 0 || is_ci || set("BLUEGREEN_LOG");
    options.log_format == LogFormat::Text
        && !is_plain
        && !is_dumb
        && std::io::stderr().is_terminal()
}

impl Screen {
    /// A screen for one deployment, on the terminal where a person watches it.
    pub fn new(options: &Options, journal: &Path, clock: Clock) -> Screen {
        Screen {
            shared: Arc::new(Shared {
                journal: journal.to_owned(),
                clock,
                live: Mutex::new(None),
                block: is_watched(options).then(|| Block::new(options)),
            }),
            ticking: Mutex::new(None),
        }
    }

    /// A deployment begins, or continues, in this process.
    pub fn begin(&self, deployment: &Deployment) {
        let shared = &self.shared;
        let read = Store::open_to_read(&shared.journal).and_then(|store| {
            let past = surroundings(&store, &deployment.plan.target, &shared.clock)?.past;
            Ok((past, store.transitions(&deployment.plan.id)?))
        });
        let (past, transitions) = read.unwrap_or_default();
        *shared.live() = Some(Live::new(deployment, &transitions, &past));
        shared.draw();
        let ticking = Arc::clone(shared);
        let task = tokio::spawn(async move {
            let every = match ticking.block {
                Some(_) => TICK,
                None => HEARTBEAT,
            };
            loop {
                tokio::time::sleep(every).await;
                ticking.tick();
            }
        });
        let mut ticking = self.ticking.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = ticking.replace(task) {
            before.abort();
        }
    }
}

impl Shared {
    fn live(&self) -> MutexGuard<'_, Option<Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn draw(&self) {
        if let (Some(block), Some(live)) = (&self.block, &*self.live()) {
            block.draw(live, &self.clock);
        }
    }

    fn tick(&self) {
        match &self.block {
            Some(_) => self.draw(),
            None => {
                if let Some(live) = &*self.live() {
                    info!("{}", live.heartbeat(self.clock.now()));
                }
            }
        }
    }
}

impl Listener for Screen {
    fn hear(&self, event: &DeploymentEvent) {
        if let Some(live) = &mut *self.shared.live() {
            live.hear(event);
        }
        // The view shows the rest.
        let least = match self.shared.block {
            Some(_) => Level::WARN,
            None => Level::DEBUG,
        };
        Lines { least }.hear(event);
        self.shared.draw();
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let mut ticking = self.ticking.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = ticking.take() {
            task.abort();
        }
        if self.shared.block.is_some() {
            remove_the_view();
        }
    }
}
