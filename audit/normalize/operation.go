package normalize

import (
	"strings"

	"github.com/tallystick/tallystick/audit"
)

// other stands for an operation that no list knows: it is the client's text.
const other = "OTHER"

// httpOperation maps the method. Methods are case-sensitive (RFC 9110 9.1).
func httpOperation(e *audit.Event) {
	e.Operation, e.Action = httpMethod(e.Method.Reveal(access))
	if e.Protocol == "tcp" && e.Method.Empty() {
		e.Operation, e.Action = "CONNECT", audit.ActionConnect
	}
}

// httpMethod returns constants, so that the operation of an event never is a
// part of the line.
func httpMethod(m string) (string, audit.Action) {
	switch m {
	case "GET":
		return "GET", audit.ActionRead
	case "POST":
		return "POST", audit.ActionCreate
	case "HEAD":
		return "HEAD", audit.ActionRead
	case "PUT":
		return "PUT", audit.ActionUpdate
	case "PATCH":
		return "PATCH", audit.ActionUpdate
	case "DELETE":
		return "DELETE", audit.ActionDelete
	case "OPTIONS":
		return "OPTIONS", audit.ActionOther
	case "CONNECT":
		return "CONNECT", audit.ActionConnect
	case "TRACE":
		return "TRACE", audit.ActionOther
	case "QUERY":
		return "QUERY", audit.ActionRead
	case "SEARCH":
		return "SEARCH", audit.ActionList
	case "PROPFIND":
		return "PROPFIND", audit.ActionList
	case "REPORT":
		return "REPORT", audit.ActionList
	case "PROPPATCH":
		return "PROPPATCH", audit.ActionUpdate
	case "MKCOL":
		return "MKCOL", audit.ActionCreate
	case "COPY":
		return "COPY", audit.ActionCreate
	case "MOVE":
		return "MOVE", audit.ActionUpdate
	case "LOCK":
		return "LOCK", audit.ActionUpdate
	case "UNLOCK":
		return "UNLOCK", audit.ActionUpdate
	case "PURGE":
		return "PURGE", audit.ActionDelete
	}
	return other, audit.ActionOther
}

// kafkaNames are the operations of Kafka's AclOperation, and the requests of its
// protocol that have one, upper case and without underscores:
// DescribeConfigs and DESCRIBE_CONFIGS are one. A fetch is a read, a produce a
// write.
var kafkaNames = map[string]struct {
	operation string
	action    audit.Action
}{
	"READ": {"READ", audit.ActionRead}, "WRITE": {"WRITE", audit.ActionWrite}, "CREATE": {"CREATE", audit.ActionCreate}, "DELETE": {"DELETE", audit.ActionDelete},
	"ALTER": {"ALTER", audit.ActionAdmin}, "DESCRIBE": {"DESCRIBE", audit.ActionList}, "CLUSTERACTION": {"CLUSTERACTION", audit.ActionAdmin},
	"DESCRIBECONFIGS": {"DESCRIBECONFIGS", audit.ActionAdmin}, "ALTERCONFIGS": {"ALTERCONFIGS", audit.ActionAdmin},
	"IDEMPOTENTWRITE": {"IDEMPOTENTWRITE", audit.ActionWrite}, "CREATETOKENS": {"CREATETOKENS", audit.ActionAdmin},
	"DESCRIBETOKENS": {"DESCRIBETOKENS", audit.ActionAdmin}, "TWOPHASECOMMIT": {"TWOPHASECOMMIT", audit.ActionWrite},
	"ALL": {"ALL", audit.ActionAdmin}, "ANY": {"ANY", audit.ActionOther},

	"FETCH": {"READ", audit.ActionRead}, "SHAREFETCH": {"READ", audit.ActionRead}, "PRODUCE": {"WRITE", audit.ActionWrite},
	"METADATA": {"DESCRIBE", audit.ActionList}, "LISTOFFSETS": {"DESCRIBE", audit.ActionList}, "LISTGROUPS": {"DESCRIBE", audit.ActionList},
	"DESCRIBEGROUPS": {"DESCRIBE", audit.ActionList}, "DESCRIBECLUSTER": {"DESCRIBE", audit.ActionList}, "DESCRIBEACLS": {"DESCRIBE", audit.ActionList},
	"FINDCOORDINATOR": {"DESCRIBE", audit.ActionList}, "OFFSETFETCH": {"DESCRIBE", audit.ActionList},
	"CREATETOPICS": {"CREATE", audit.ActionCreate}, "CREATEPARTITIONS": {"ALTER", audit.ActionAdmin}, "DELETETOPICS": {"DELETE", audit.ActionDelete},
	"DELETERECORDS": {"DELETE", audit.ActionDelete}, "DELETEGROUPS": {"DELETE", audit.ActionDelete}, "OFFSETDELETE": {"DELETE", audit.ActionDelete},
	"CREATEACLS": {"ALTER", audit.ActionAdmin}, "DELETEACLS": {"ALTER", audit.ActionAdmin}, "INCREMENTALALTERCONFIGS": {"ALTERCONFIGS", audit.ActionAdmin},
	"JOINGROUP": {"SUBSCRIBE", audit.ActionSubscribe}, "CONSUMERGROUPHEARTBEAT": {"SUBSCRIBE", audit.ActionSubscribe},
	"CONNECT": {"CONNECT", audit.ActionConnect}, "AUTHENTICATION": {"CONNECT", audit.ActionConnect}, "SASLAUTHENTICATE": {"CONNECT", audit.ActionConnect},
	"SASLHANDSHAKE": {"CONNECT", audit.ActionConnect},
}

func kafkaOperation(e *audit.Event) {
	m := e.Method.Reveal(access)
	switch m { // the common spellings, without a copy
	case "READ", "Read", "FETCH":
		e.Operation, e.Action = "READ", audit.ActionRead
		return
	case "WRITE", "Write", "PRODUCE":
		e.Operation, e.Action = "WRITE", audit.ActionWrite
		return
	case "DESCRIBE", "Describe":
		e.Operation, e.Action = "DESCRIBE", audit.ActionList
		return
	}
	if n, ok := kafkaNames[strings.ToUpper(strings.ReplaceAll(m, "_", ""))]; ok {
		e.Operation, e.Action = n.operation, n.action
		return
	}
	e.Operation, e.Action = other, audit.ActionOther
}

// mqttOperation maps what a broker's line is about. A delivery to a client is
// the read; a subscription alone shows nobody any data.
func mqttOperation(e *audit.Event) {
	switch e.Method.Reveal(access) {
	case "DELIVER":
		e.Operation, e.Action = "DELIVER", audit.ActionRead
	case "PUBLISH":
		e.Operation, e.Action = "PUBLISH", audit.ActionWrite
	case "SUBSCRIBE":
		e.Operation, e.Action = "SUBSCRIBE", audit.ActionSubscribe
	case "CONNECT":
		e.Operation, e.Action = "CONNECT", audit.ActionConnect
	default:
		e.Operation, e.Action = other, audit.ActionOther
	}
}
