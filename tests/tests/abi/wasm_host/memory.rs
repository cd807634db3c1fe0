//! Reads and writes the module's memory, and the encoding of header maps in it.
//!
//! Every access is checked by wasmtime; a bad pointer is an error, which the host calls report as Envoy does.

use super::{Fields, State};
use wasmtime::{Caller, Extern, Memory};

fn memory(caller: &mut Caller<'_, State>) -> Memory {
    match caller.get_export("memory") {
        Some(Extern::Memory(memory)) => memory,
        _ => panic!("the module exports no memory"),
    }
}

/// Bytes of the module.
pub(super) fn read(caller: &mut Caller<'_, State>, at: u32, size: u32) -> Option<Vec<u8>> {
    let memory = memory(caller);
    let (at, size) = (at as usize, size as usize);
    memory.data(&caller).get(at..at.checked_add(size)?).map(<[u8]>::to_vec)
}

/// A name: header, property, metric.
pub(super) fn text(caller: &mut Caller<'_, State>, at: u32, size: u32) -> Option<String> {
    read(caller, at, size).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// Writes bytes to where the module keeps them.
pub(super) fn write(caller: &mut Caller<'_, State>, at: u32, bytes: &[u8]) -> bool {
    let memory = memory(caller);
    memory.write(caller, at as usize, bytes).is_ok()
}

/// Hands bytes over in memory the module allocates; nothing is allocated for nothing.
pub(super) fn give(caller: &mut Caller<'_, State>, bytes: &[u8], pointer_at: u32, size_at: u32) -> bool {
    let size = u32::try_from(bytes.len()).unwrap();
    let mut pointer = 0;
    if size > 0 {
        let Some(Extern::Func(allocate)) =
            ["proxy_on_memory_allocate", "malloc"].into_iter().find_map(|name| caller.get_export(name))
        else {
            panic!("the module exports no allocator");
        };
        pointer = allocate.typed::<u32, u32>(&caller).unwrap().call(&mut *caller, size).unwrap();
        if !write(caller, pointer, bytes) {
            return false;
        }
    }
    write(caller, pointer_at, &pointer.to_le_bytes()) && write(caller, size_at, &size.to_le_bytes())
}

/// A header map as the ABI lays it out: count, sizes, then names and values, each ended by NUL.
pub(super) fn encode(fields: &[(String, String)]) -> Vec<u8> {
    let mut bytes = u32::try_from(fields.len()).unwrap().to_le_bytes().to_vec();
    for (name, value) in fields {
        bytes.extend(u32::try_from(name.len()).unwrap().to_le_bytes());
        bytes.extend(u32::try_from(value.len()).unwrap().to_le_bytes());
    }
    for (name, value) in fields {
        for text in [name, value] {
            bytes.extend(text.as_bytes());
            bytes.push(0);
        }
    }
    bytes
}

/// The reverse of [`encode`].
pub(super) fn decode(bytes: &[u8]) -> Option<Fields> {
    let number = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?) as usize);
    if bytes.is_empty() {
        return Some(Fields::new());
    }
    let count = number(0)?;
    let mut at = 4 + count.checked_mul(8)?;
    let mut take = |size: usize| {
        let text = String::from_utf8_lossy(bytes.get(at..at.checked_add(size)?)?).into_owned();
        at += size + 1;
        Some(text)
    };
    (0..count).map(|index| Some((take(number(4 + index * 8)?)?, take(number(8 + index * 8)?)?))).collect()
}

#[test]
fn a_header_map_survives_its_encoding() {
    let fields = vec![("a".into(), "1".into()), ("b".into(), String::new())];
    assert_eq!(decode(&encode(&fields)), Some(fields));
}
