//! Spawns processes from a thread that never ends.
//!
//! Envoy asks the kernel for SIGTERM when the *thread* that started it ends, and every test runs in a thread of its own: a
//! gateway that tests share would die with the first of them.

use std::io;
use std::process::{Child, Command};
use std::sync::mpsc::{self, Sender};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

struct Order {
    command: Command,
    reply: Sender<io::Result<Child>>,
}

pub(super) fn spawn(command: Command) -> io::Result<Child> {
    static ORDERS: OnceLock<Mutex<Sender<Order>>> = OnceLock::new();
    let orders = ORDERS.get_or_init(|| {
        let (orders, taken) = mpsc::channel::<Order>();
        thread::spawn(move || {
            for mut order in taken {
                drop(order.reply.send(order.command.spawn()));
            }
        });
        Mutex::new(orders)
    });
    let (reply, answer) = mpsc::channel();
    let sent = orders.lock().unwrap_or_else(PoisonError::into_inner).send(Order { command, reply });
    sent.map_err(io::Error::other)?;
    answer.recv().map_err(io::Error::other)?
}
