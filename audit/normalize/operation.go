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

// kafkaOperations are the operations of Kafka's AclOperation, upper case and
// without underscores: DescribeConfigs and DESCRIBE_CONFIGS are one.
var kafkaOperations = map[string]audit.Action{
	"READ": audit.ActionRead, "WRITE": audit.ActionWrite, "CREATE": audit.ActionCreate, "DELETE": audit.ActionDelete,
	"ALTER": audit.ActionAdmin, "DESCRIBE": audit.ActionList, "CLUSTERACTION": audit.ActionAdmin,
	"DESCRIBECONFIGS": audit.ActionAdmin, "ALTERCONFIGS": audit.ActionAdmin, "IDEMPOTENTWRITE": audit.ActionWrite,
	"CREATETOKENS": audit.ActionAdmin, "DESCRIBETOKENS": audit.ActionAdmin, "TWOPHASECOMMIT": audit.ActionWrite,
	"ALL": audit.ActionAdmin, "ANY": audit.ActionOther,
}

func kafkaOperation(e *audit.Event) {
	m := e.Method.Reveal(access)
	switch m { // the common spellings, without a copy
	case "READ", "Read":
		e.Operation, e.Action = "READ", audit.ActionRead
		return
	case "WRITE", "Write":
		e.Operation, e.Action = "WRITE", audit.ActionWrite
		return
	case "DESCRIBE", "Describe":
		e.Operation, e.Action = "DESCRIBE", audit.ActionList
		return
	}
	name := strings.ToUpper(strings.ReplaceAll(m, "_", ""))
	if a, ok := kafkaOperations[name]; ok {
		e.Operation, e.Action = name, a
		return
	}
	e.Operation, e.Action = other, audit.ActionOther
}
