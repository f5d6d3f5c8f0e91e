//! The screen of `ovsgap watch`: threads, and the loop of the one that draws.
//!
//! Must not depend on: where events come from. Three threads: the historian finds out what is to be shown, one reads keys, one
//! draws. Whatever happens arrives at the last as a [`Message`]; it changes the [`screen::Screen`] by pure functions
//! and draws, at most so many times a second, and only when something has changed.

pub mod action;
pub mod axis;
pub mod keys;
pub mod layout;
pub mod pane;
pub mod paper;
pub mod rows;
pub mod scene;
pub mod screen;
pub mod terminal;
pub mod theme;
pub mod update;
pub mod view;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context as _;
use crossterm::event::{self, Event as Input, MouseButton, MouseEventKind};
use tokio::sync::{mpsc, oneshot};
use tracer_core::time::{MILLISECOND, Timestamp};

use crate::historian::moment::Moment;
use crate::historian::{Historian, News, Order};
use action::{Action, Effect};
use screen::Screen;
use terminal::Guard;
use theme::Theme;

/// The shortest time between two frames: 25 a second.
const FRAME: u64 = 40 * MILLISECOND;

/// How many keys may wait.
const HELD: usize = 32;

/// Reads the clock.
pub type Now = fn() -> Timestamp;

/// What can happen to the screen.
enum Message {
    Input(std::io::Result<Input>),
    News(News),
    Stop,
}

/// A running screen.
pub struct Tui {
    messages: Sender<Message>,
    /// Told when the screen has been closed, and why.
    pub closed: oneshot::Receiver<anyhow::Result<()>>,
    historian: JoinHandle<()>,
}

impl Tui {
    /// Takes the terminal and begins. `orders` reaches the historian; whoever holds it keeps the capture going.
    pub fn start(
        historian: Historian,
        orders: mpsc::Sender<Order>,
        obeyed: mpsc::Receiver<Order>,
        theme: Theme,
        now: Now,
    ) -> Self {
        let (messages, arriving) = channel();
        let news = messages.clone();
        let historian = thread::spawn(move || {
            historian.run(obeyed, |told| news.send(Message::News(told)).is_ok());
        });
        let (tell, closed) = oneshot::channel();
        let input = messages.clone();
        thread::spawn(move || {
            let ended = draw(&orders, &arriving, input, theme, now);
            // The screen is no longer there; nobody may be left to be told.
            let _ = tell.send(ended);
        });
        Self {
            messages,
            closed,
            historian,
        }
    }

    /// Asks the screen to close.
    pub fn stop(&self) {
        // It may have closed by itself.
        let _ = self.messages.send(Message::Stop);
    }

    /// Waits until everything that was seen has been taken in and written. All holders of orders must be gone.
    pub fn finish(self) -> anyhow::Result<()> {
        drop(self.messages);
        self.historian.join().ok().context("the historian broke")
    }
}

/// Everything the drawing thread has.
struct Loop<'a> {
    guard: Guard,
    screen: Screen,
    theme: Theme,
    moment: Option<Arc<Moment>>,
    closeup: Option<String>,
    /// How many times the historian was told to go somewhere.
    sent: u64,
    /// What was pressed while it was on its way: what a key means depends on where one is.
    held: VecDeque<Input>,
    closed: bool,
    orders: &'a mpsc::Sender<Order>,
    now: Now,
}

fn draw(
    orders: &mpsc::Sender<Order>,
    arriving: &Receiver<Message>,
    input: Sender<Message>,
    theme: Theme,
    now: Now,
) -> anyhow::Result<()> {
    let guard = Guard::take(|name| std::env::var(name).ok())?;
    thread::spawn(move || while input.send(Message::Input(event::read())).is_ok() {});
    let mut turn = Loop {
        screen: Screen::new(guard.size),
        guard,
        theme,
        moment: None,
        closeup: None,
        sent: 0,
        held: VecDeque::new(),
        closed: false,
        orders,
        now,
    };
    turn.run(arriving)
}

impl Loop<'_> {
    fn run(&mut self, arriving: &Receiver<Message>) -> anyhow::Result<()> {
        let (mut drawn, mut played) = (Timestamp(0), (self.now)());
        let mut changed = false;
        loop {
            let now = (self.now)();
            if self.screen.playing && now.since(played) >= FRAME && !self.is_on_its_way() {
                changed |= self.act(Action::Passed(now.since(played)))?;
                played = now;
            }
            if !self.screen.playing {
                played = now;
            }
            let due = drawn.plus(FRAME);
            if changed && now >= due {
                self.frame()?;
                (drawn, changed) = (now, false);
            }
            let wait = match (changed, self.screen.playing) {
                (true, _) => Some(due.since(now)),
                (false, true) => Some(FRAME),
                (false, false) => None,
            };
            match next(arriving, wait) {
                Ok(Some(Message::Stop)) | Err(()) => return Ok(()),
                Ok(Some(message)) => changed |= self.take(message)?,
                Ok(None) => {}
            }
            if self.closed {
                return Ok(());
            }
        }
    }

    fn frame(&mut self) -> anyhow::Result<()> {
        let Some(moment) = &self.moment else { return Ok(()) };
        let (screen, theme) = (&self.screen, self.theme);
        let drawn = self
            .guard
            .terminal
            .draw(|frame| view::view(moment, screen, theme, frame));
        drawn.map(drop).context("cannot draw on the terminal")
    }

    /// Whether the screen has changed.
    fn take(&mut self, message: Message) -> anyhow::Result<bool> {
        match message {
            Message::Input(input) => {
                return self.press(input.context("cannot read keys: the terminal is gone")?);
            }
            Message::News(News::Moment(moment)) => {
                self.moment = Some(moment);
                while let Some(input) = self.held.pop_front() {
                    if self.is_on_its_way() {
                        self.held.push_front(input);
                        break;
                    }
                    self.press(input)?;
                }
            }
            Message::News(News::Notice(notice)) => self.screen.notice = Some(notice),
            Message::Stop => {}
        }
        self.look_closer();
        Ok(true)
    }

    /// Whether the historian has not arrived where it was told to go.
    fn is_on_its_way(&self) -> bool {
        self.moment.as_ref().is_none_or(|moment| moment.gone < self.sent)
    }

    fn press(&mut self, input: Input) -> anyhow::Result<bool> {
        let action = meaning(&self.screen, &input);
        if self.is_on_its_way() && !matches!(action, Some(Action::Quit | Action::Resize(..))) {
            // A key that is held down is not to go on for seconds after it was let go.
            if self.held.len() < HELD {
                self.held.push_back(input);
            }
            return Ok(false);
        }
        action.map_or(Ok(false), |action| self.act(action))
    }

    fn act(&mut self, action: Action) -> anyhow::Result<bool> {
        let Some(moment) = self.moment.clone() else {
            self.closed |= action == Action::Quit;
            return Ok(false);
        };
        for effect in update::update(&mut self.screen, action, &moment) {
            match effect {
                Effect::Quit => self.closed = true,
                Effect::Go(target) => {
                    self.sent += 1;
                    self.order(Order::Go(target));
                }
                Effect::Record => self.order(Order::Record),
                Effect::Export => self.order(Order::Export),
                Effect::Mouse(ours) => Guard::mouse(ours).context("cannot take the mouse")?,
            }
        }
        self.look_closer();
        Ok(!matches!(action, Action::Passed(_)))
    }

    /// More is wanted of whichever Pod is selected.
    fn look_closer(&mut self) {
        let Some(moment) = &self.moment else { return };
        let wanted = update::wanted(&self.screen, moment);
        if wanted != self.closeup {
            self.closeup.clone_from(&wanted);
            self.order(Order::Closeup(wanted));
        }
    }

    fn order(&self, order: Order) {
        // A historian that is gone has panicked, and the program is about to end.
        let _ = self.orders.blocking_send(order);
    }
}

fn next(arriving: &Receiver<Message>, wait: Option<u64>) -> Result<Option<Message>, ()> {
    let Some(nanos) = wait else {
        return arriving.recv().map(Some).map_err(drop);
    };
    match arriving.recv_timeout(Duration::from_nanos(nanos)) {
        Ok(message) => Ok(Some(message)),
        Err(RecvTimeoutError::Timeout) => Ok(None),
        Err(RecvTimeoutError::Disconnected) => Err(()),
    }
}

/// What the user means by what was pressed.
fn meaning(screen: &Screen, input: &Input) -> Option<Action> {
    match input {
        Input::Key(key) => keys::action(&screen.mode, *key),
        Input::Resize(columns, rows) => Some(Action::Resize(*columns, *rows)),
        Input::Mouse(mouse) => match mouse.kind {
            MouseEventKind::Down(MouseButton::Left) => Some(Action::Click(mouse.column, mouse.row)),
            MouseEventKind::ScrollDown => Some(Action::Down),
            MouseEventKind::ScrollUp => Some(Action::Up),
            _ => None,
        },
        _ => None,
    }
}
