package store

import (
	"cmp"
	"strings"
)

// DefaultWriter and DefaultReader are users that Grants names where the
// configuration names none.
const (
	DefaultWriter = "tallystick_writer"
	DefaultReader = "tallystick_reader"
)

// writerSees is what the writer reads: to take a version off the rollups, to
// hide what was replaced, to keep capsules, and to know in an erasure, while it
// runs, which rows it is about. No other column names a person.
var writerSees = []struct{ table, columns string }{
	{"entries_all", "event_time, source, system_key, outcome, tls_version, principal_type, transfer_kind, subject_count, special_category, categories, purpose_documented, bytes_out, chunk, version"},
	{"rejections_all", "source, hour, reason, stream, generation, offset, chunk, version"},
	{"rejections", "source, hour, reason, chunk, version"},
	{"originals", "chunk, version, capsule"},
	{"kept_capsules", "chunk, version, id"},
	{"superseded", "chunk, version"},
	{"replayed", "stream, generation, offset, chunk"},
	{"erasing", "job, tag, through, secret, chunk, version, `row`"},
}

// Grants returns the statements that make two users for cfg, in their order: one
// that writes and sees nothing of a person, and one that reads. Tables are made
// by whoever runs DDL. Passwords are left to be chosen.
func Grants(cfg Config) ([]string, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	l := cfg.layout()
	writer, reader := cmp.Or(cfg.User, DefaultWriter), cmp.Or(cfg.Reader.User, DefaultReader)
	on := l.on()
	user := func(name string) string {
		return "CREATE USER IF NOT EXISTS " + quoteName(name) + on + " IDENTIFIED WITH sha256_password BY 'CHOOSE ONE'"
	}
	grant := func(what, of, to string) string {
		return "GRANT" + on + " " + what + " ON " + of + " TO " + quoteName(to)
	}
	all := l.database + ".*"
	out := []string{user(writer), user(reader), grant("SELECT", all, reader), grant("INSERT, ALTER UPDATE, ALTER DELETE", all, writer)}
	for _, s := range writerSees {
		out = append(out, grant("SELECT("+s.columns+")", l.database+"."+s.table, writer))
		if local := l.local(s.table); local != s.table {
			out = append(out, grant("SELECT("+s.columns+")", l.database+"."+local, writer))
		}
	}
	if l.cluster != "" {
		out = append(out, grant("CLUSTER", "*.*", writer))
	}
	return out, nil
}

func quoteName(name string) string {
	return "`" + strings.NewReplacer("\\", "\\\\", "`", "\\`").Replace(name) + "`"
}
