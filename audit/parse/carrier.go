package parse

import "strings"

// carrier is the length of what a transport put before a server's own line:
// the header of syslog (RFC 3164, RFC 5424), the prefix of a container runtime
// (CRI) or of docker compose. It is 0 if there is none.
func carrier(line string) int {
	if n := criPrefix(line); n > 0 {
		return n
	}
	if n := syslogPrefix(line); n > 0 {
		return n
	}
	// docker compose logs: NAME, blanks, a bar and a blank.
	if at := strings.Index(line[:min(len(line), 66)], " | "); at > 0 {
		if name := strings.TrimRight(line[:at], " "); name != "" && strings.IndexByte(name, ' ') < 0 {
			return at + len(" | ")
		}
	}
	return 0
}

// syslogPrefix is the length of a syslog header.
func syslogPrefix(line string) int {
	pos := 0
	if strings.HasPrefix(line, "<") {
		end := strings.IndexByte(line, '>')
		if end < 2 || end > 4 || digits(line, 1, end-1) < 0 {
			return 0
		}
		pos = end + 1
		if strings.HasPrefix(line[pos:], "1 ") {
			return rfc5424(line, pos+2)
		}
	}
	return rfc3164(line, pos)
}

// rfc5424 skips TIME HOST APP PID MSGID, the structured data and the byte order
// mark of a message in UTF-8.
func rfc5424(line string, pos int) int {
	for range 5 {
		sp := strings.IndexByte(line[pos:], ' ')
		if sp <= 0 {
			return 0
		}
		pos += sp + 1
	}
	switch {
	case strings.HasPrefix(line[pos:], "- "):
		return message(line, pos+2)
	case strings.HasPrefix(line[pos:], "["):
		inQuote := false
		for i := pos; i < len(line); i++ {
			switch c := line[i]; {
			case c == '\\' && inQuote:
				i++
			case c == '"':
				inQuote = !inQuote
			case c == ']' && !inQuote && i+1 < len(line) && line[i+1] == ' ':
				return message(line, i+2)
			}
		}
	}
	return 0
}

func message(line string, pos int) int {
	if strings.HasPrefix(line[pos:], "\ufeff") {
		pos += len("\ufeff")
	}
	return pos
}

// rfc3164 skips Mmm dd hh:mm:ss, or an ISO time as newer daemons write it, the
// host and TAG[PID]:.
func rfc3164(line string, pos int) int {
	const clock = len("Jan _2 15:04:05")
	if len(line) < pos+clock+1 {
		return 0
	}
	s := line[pos:]
	switch {
	case monthOf(s[:3]) > 0 && s[3] == ' ' && s[6] == ' ' && s[9] == ':' && s[12] == ':' && s[clock] == ' ':
		pos += clock + 1
	case s[4] == '-' && s[7] == '-' && s[10] == 'T':
		sp := strings.IndexByte(s, ' ')
		if sp < 0 || sp > 40 {
			return 0
		}
		pos += sp + 1
	default:
		return 0
	}
	// The host may be missing; the tag ends with a colon and a blank.
	for range 2 {
		sp := strings.IndexByte(line[pos:], ' ')
		if sp <= 0 {
			return 0
		}
		word := line[pos : pos+sp]
		pos += sp + 1
		if strings.HasSuffix(word, ":") {
			return pos
		}
	}
	return 0
}
