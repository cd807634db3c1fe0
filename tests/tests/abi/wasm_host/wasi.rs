//! The part of WASI that Envoy gives to a module: output, randomness, clocks, an empty environment.
//!
//! There are no files and no arguments. What is missing traps, as the call would fail in Envoy.

use super::State;
use super::memory::{read, write};
use wasmtime::{Caller, Linker};

const SUCCESS: u32 = 0;
const BAD_FILE: u32 = 8;
const FAULT: u32 = 21;
const WASI: &str = "wasi_snapshot_preview1";

fn status(fine: bool) -> u32 {
    if fine { SUCCESS } else { FAULT }
}

pub(super) fn define(linker: &mut Linker<State>) {
    let none = |mut caller: Caller<'_, State>, count_at: u32, size_at: u32| -> u32 {
        status(write(&mut caller, count_at, &[0; 4]) && write(&mut caller, size_at, &[0; 4]))
    };
    linker.func_wrap(WASI, "environ_sizes_get", none).unwrap();
    linker.func_wrap(WASI, "args_sizes_get", none).unwrap();
    linker.func_wrap(WASI, "environ_get", |_: u32, _: u32| SUCCESS).unwrap();
    linker.func_wrap(WASI, "args_get", |_: u32, _: u32| SUCCESS).unwrap();
    linker.func_wrap(WASI, "sched_yield", || SUCCESS).unwrap();
    linker.func_wrap(WASI, "fd_close", |_: u32| BAD_FILE).unwrap();
    linker.func_wrap(WASI, "fd_prestat_get", |_: u32, _: u32| BAD_FILE).unwrap();
    linker.func_wrap(WASI, "fd_fdstat_get", |_: u32, _: u32| BAD_FILE).unwrap();
    linker
        .func_wrap(WASI, "proc_exit", |code: u32| -> wasmtime::Result<()> {
            Err(wasmtime::Error::msg(format!("the module exited with {code}")))
        })
        .unwrap();
    linker
        .func_wrap(WASI, "clock_time_get", |mut caller: Caller<'_, State>, _: u32, _: u64, time_at: u32| {
            caller.data_mut().now_ns += 1_000;
            let now = caller.data().now_ns;
            status(write(&mut caller, time_at, &now.to_le_bytes()))
        })
        .unwrap();
    linker
        .func_wrap(WASI, "random_get", |mut caller: Caller<'_, State>, at: u32, size: u32| {
            // The same bytes in every run: a test that depends on luck is no test.
            let bytes: Vec<u8> =
                (0..size).map(|index| (index.wrapping_mul(97).wrapping_add(41) & 0xff) as u8).collect();
            status(write(&mut caller, at, &bytes))
        })
        .unwrap();
    linker.func_wrap(WASI, "fd_write", fd_write).unwrap();
}

/// Output of the standard library, such as the message of a panic, goes to the log.
fn fd_write(mut caller: Caller<'_, State>, _fd: u32, slices_at: u32, slices: u32, written_at: u32) -> u32 {
    let mut output = Vec::new();
    for index in 0..slices {
        let Some(slice) = read(&mut caller, slices_at + index * 8, 8) else { return FAULT };
        let number = |at: usize| u32::from_le_bytes([slice[at], slice[at + 1], slice[at + 2], slice[at + 3]]);
        let Some(bytes) = read(&mut caller, number(0), number(4)) else { return FAULT };
        output.extend(bytes);
    }
    caller.data_mut().logs.push(String::from_utf8_lossy(&output).trim_end().to_owned());
    status(write(&mut caller, written_at, &u32::try_from(output.len()).unwrap().to_le_bytes()))
}
