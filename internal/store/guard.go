package store

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tallystick/tallystick/internal/text"
)

// readOnly returns sql without a closing semicolon if it is one statement that
// reads. ClickHouse enforces the rest (readonly = 1); the embedded engine is
// also a client, which knows FORMAT, INTO OUTFILE and several statements.
func readOnly(sql string) (string, error) {
	words, end, err := tokens(sql)
	if err != nil {
		return "", fmt.Errorf("failed to select: %w", err)
	}
	if len(words) == 0 {
		return "", &text.Hint{Err: errors.New("failed to select: the statement is empty"), Hint: "SELECT count() FROM entries"}
	}
	switch first := words[0]; first {
	case "SELECT", "WITH", "SHOW", "DESCRIBE", "DESC", "EXPLAIN":
	default:
		return "", &text.Hint{
			Err:  errors.New("failed to select: only statements that read are possible"),
			Hint: "begin with SELECT, WITH, SHOW, DESCRIBE or EXPLAIN",
		}
	}
	for i, w := range words {
		switch {
		case w == ";":
			return "", &text.Hint{Err: errors.New("failed to select: more than one statement"), Hint: "send one statement at a time"}
		case w == "INTO" && i+1 < len(words) && words[i+1] == "OUTFILE":
			return "", &text.Hint{Err: errors.New("failed to select: INTO OUTFILE would write a file"), Hint: "leave it out and save the output"}
		case w == "FORMAT" && i+2 == len(words):
			return "", &text.Hint{Err: errors.New("failed to select: a FORMAT clause is not possible"), Hint: "leave it out"}
		case i+1 < len(words) && words[i+1] == "(" && outside(w):
			return "", &text.Hint{Err: fmt.Errorf("failed to select: the function %s reaches outside the store", strings.ToLower(w)), Hint: "read from the tables that SHOW TABLES lists"}
		case i+2 < len(words) && w == "SYSTEM" && words[i+1] == "." && harmful(words[i+2]):
			return "", &text.Hint{Err: fmt.Errorf("failed to select: reading system.%s runs a program or stops every thread", strings.ToLower(words[i+2])), Hint: "SHOW TABLES lists the tables of the record"}
		}
	}
	return sql[:end], nil
}

// harmful says whether reading a table of the engine's does more than read:
// models starts the program that the process is a second time, as ClickHouse's
// bridge to CatBoost, and stack_trace sends a signal to every thread.
func harmful(table string) bool { return table == "MODELS" || table == "STACK_TRACE" }

// selects reports whether a statement that readOnly let pass has columns that
// can be described.
func selects(sql string) bool {
	words, _, err := tokens(sql)
	return err == nil && len(words) > 0 && (words[0] == "SELECT" || words[0] == "WITH")
}

// outside says whether a function reads or runs something that is not in the
// store: files, networks, programs and other databases. readonly = 1 refuses
// most of them in a SELECT, but not the scalar file(), and DESCRIBE opens all.
func outside(function string) bool {
	switch function {
	case "FILE", "FILECLUSTER", "URL", "URLCLUSTER", "S3", "S3CLUSTER", "GCS", "OSS", "COSN", "HDFS", "HDFSCLUSTER",
		"AZUREBLOBSTORAGE", "AZUREBLOBSTORAGECLUSTER", "REMOTE", "REMOTESECURE", "CLUSTER", "CLUSTERALLREPLICAS",
		"MYSQL", "POSTGRESQL", "SQLITE", "MONGODB", "REDIS", "ODBC", "JDBC", "ARROWFLIGHT", "YTSAURUS", "EXECUTABLE", "INPUT", "PYTHON",
		"DELTALAKE", "DELTALAKES3", "DELTALAKELOCAL", "DELTALAKEAZURE", "DELTALAKECLUSTER", "DELTALAKES3CLUSTER", "DELTALAKEAZURECLUSTER", "HUDI", "HUDICLUSTER",
		"ICEBERG", "ICEBERGS3", "ICEBERGLOCAL", "ICEBERGAZURE", "ICEBERGHDFS", "ICEBERGCLUSTER",
		"ICEBERGS3CLUSTER", "ICEBERGLOCALCLUSTER", "ICEBERGAZURECLUSTER", "ICEBERGHDFSCLUSTER",
		"PAIMON", "PAIMONS3", "PAIMONLOCAL", "PAIMONAZURE", "PAIMONHDFS", "PAIMONCLUSTER", "PAIMONS3CLUSTER", "PAIMONAZURECLUSTER", "PAIMONHDFSCLUSTER",
		"MERGE", "LOOP", "FILESYSTEM", "CATBOOSTEVALUATE", "EVAL", "PROMETHEUSQUERY", "PROMETHEUSQUERYRANGE":
		return true
	}
	return false
}

// tokens splits sql into words in upper case and single signs, without
// comments and string literals. Quoted names come as words. end is where the
// statement ends without a closing semicolon.
func tokens(sql string) (words []string, end int, err error) {
	end = len(sql)
	for i := 0; i < len(sql); {
		c := sql[i]
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v':
			i++
		case strings.HasPrefix(sql[i:], "--") || c == '#':
			n := strings.IndexByte(sql[i:], '\n')
			if n < 0 {
				n = len(sql) - i
			}
			i += n
		case strings.HasPrefix(sql[i:], "/*"):
			n := strings.Index(sql[i+2:], "*/")
			if n < 0 {
				return nil, 0, errors.New("a comment does not end")
			}
			i += n + 4
		case c == '\'' || c == '"' || c == '`':
			n := quoted(sql[i:])
			if n < 0 {
				return nil, 0, errors.New("a quote does not end")
			}
			if c != '\'' {
				words = append(words, strings.ToUpper(sql[i+1:i+n-1]))
			} else {
				words = append(words, "'")
			}
			i += n
		case c == '$' && heredoc(sql[i:]) > 0:
			words = append(words, "'")
			i += heredoc(sql[i:])
		case wordByte(c):
			n := i
			for n < len(sql) && wordByte(sql[n]) {
				n++
			}
			words = append(words, strings.ToUpper(sql[i:n]))
			i = n
		default:
			words = append(words, string(c))
			if c == ';' {
				end = i
			}
			i++
		}
	}
	if n := len(words); n > 0 && words[n-1] == ";" {
		return words[:n-1], end, nil
	}
	return words, len(sql), nil
}

func wordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}

// quoted is the length of the quoted text at the beginning of s, -1 if it does
// not end.
func quoted(s string) int {
	q := s[0]
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case s[i] == q && i+1 < len(s) && s[i+1] == q:
			i++
		case s[i] == q:
			return i + 1
		}
	}
	return -1
}

// heredoc is the length of $tag$...$tag$ at the beginning of s, 0 if there is
// none.
func heredoc(s string) int {
	n := 1
	for n < len(s) && wordByte(s[n]) {
		n++
	}
	if n == len(s) || s[n] != '$' {
		return 0
	}
	tag := s[:n+1]
	i := strings.Index(s[len(tag):], tag)
	if i < 0 {
		return 0
	}
	return i + 2*len(tag)
}
