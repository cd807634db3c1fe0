//! Writes events of our own.

/// An event that carries `payload`, ready to be sent.
pub fn data(payload: &[u8]) -> Vec<u8> {
    let mut event = Vec::with_capacity(payload.len() + 8);
    data_lines(payload, b"data: ", b"\n", &mut event);
    event.push(b'\n');
    event
}

/// Appends one `data` line per line of `payload`.
pub(super) fn data_lines(payload: &[u8], field: &[u8], line_end: &[u8], event: &mut Vec<u8>) {
    let mut rest = Some(payload);
    while let Some(payload) = rest {
        let end = memchr::memchr2(b'\n', b'\r', payload).unwrap_or(payload.len());
        let (line, after) = payload.split_at(end);
        rest = match after {
            [] => None,
            [b'\r', b'\n', next @ ..] | [_, next @ ..] => Some(next),
        };
        event.extend_from_slice(field);
        if line.starts_with(b" ") && !field.ends_with(b" ") {
            // A reader takes one space away.
            event.push(b' ');
        }
        event.extend_from_slice(line);
        event.extend_from_slice(line_end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(payload: &str, expected: &str) {
        assert_eq!(String::from_utf8(data(payload.as_bytes())).unwrap(), expected);
    }

    #[test]
    fn a_payload_becomes_one_event() {
        check("{}", "data: {}\n\n");
        check("", "data: \n\n");
    }

    #[test]
    fn each_line_of_a_payload_gets_its_own_field() {
        check("a\nb\r\nc\rd", "data: a\ndata: b\ndata: c\ndata: d\n\n");
        check("a\n", "data: a\ndata: \n\n");
    }
}
