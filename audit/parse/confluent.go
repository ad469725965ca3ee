package parse

import (
	"strings"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/masking/plain"
)

// newConfluent makes the parser of Confluent audit events: CloudEvents in
// structured JSON, with the data of an authorisation or authentication, or of a
// request. Confluent Platform writes snake_case, Confluent Cloud camelCase. A
// kafka.Fetch or kafka.Produce is the beginning of a read or write, not one
// message.
func newConfluent(o options) *jsonTree {
	t := newJSONTree("confluent:audit", o)
	t.protocol, t.needs = "kafka", ", such as specversion, type and data"
	t.at("time", variable{field: fTimeAny})
	t.at("id", variable{field: fRequestID})
	for _, p := range []string{"data.requestMetadata.clientAddress", "data.requestMetadata.client_address", "data.requestMetadata.clientAddress.ip",
		"data.request_metadata.client_address", "data.request_metadata.client_address.ip"} {
		t.at(p, variable{field: fRemoteAddr})
	}
	for _, p := range []string{"data.request.clientId", "data.request.client_id"} {
		t.at(p, variable{field: fUserAgent})
	}
	spec, kind := t.see("specversion"), t.see("type")
	method := t.either("data.methodName", "data.method_name")
	crn := t.either("data.resourceName", "data.resource_name")
	principal := t.either("data.authenticationInfo.principal", "data.authentication_info.principal")
	var ids [3]int
	for n, p := range []string{"confluentUser.resourceId", "confluentServiceAccount.resourceId", "email"} {
		ids[n] = t.see("data.authenticationInfo.principal." + p)
	}
	granted := t.either("data.authorizationInfo.granted", "data.authorization_info.granted")
	operation := t.either("data.authorizationInfo.operation", "data.authorization_info.operation")
	resourceType := t.either("data.authorizationInfo.resourceType", "data.authorization_info.resource_type")
	resource := t.either("data.authorizationInfo.resourceName", "data.authorization_info.resource_name")
	status := t.see("data.result.status")
	cloudType, cloudID := t.see("data.cloudResources.resource.type"), t.see("data.cloudResources.resource.resourceId")
	t.locate(o, "")
	t.carries.Principal, t.carries.Target, t.carries.Outcome = true, true, true
	t.finish = func(b *audit.Batch, i int, _ *values, raw *jsonRaw) bool {
		e := &b.Events[i]
		get := func(at [2]int) string {
			if raw[at[0]] != "" {
				return raw[at[0]]
			}
			return raw[at[1]]
		}
		if raw[spec] == "" || get(method) == "" {
			b.Reject(i, audit.ReasonSyntax, 1, "a CloudEvent with specversion and data.methodName")
			return false
		}
		who := get(principal)
		if strings.HasPrefix(who, "{") {
			who = ""
			for _, n := range ids {
				if who == "" {
					who = raw[n]
				}
			}
		}
		if strings.IndexByte(who, ':') < 0 {
			who = "User:" + who
		}
		kafkaUser(e, who, "SASL_SSL")
		e.Method = plain.New(confluentMethod(get(operation), get(method)))
		e.ResourceType, e.ResourceName = plain.New(get(resourceType)), plain.New(get(resource))
		if e.ResourceName.Empty() {
			setCRN(e, get(crn))
		}
		if e.ResourceName.Empty() {
			e.ResourceType, e.ResourceName = plain.New(raw[cloudType]), plain.New(raw[cloudID])
		}
		if addr := e.PeerAddr.Reveal(access); strings.HasPrefix(addr, "/") { // as Java prints an address
			e.PeerAddr = plain.New(addr[1:])
		}
		addField(e, "request", get(method))
		addField(e, "event_type", raw[kind])
		setConfluentResult(e, get(granted), raw[status])
		return true
	}
	return t
}

// either notes a place with two spellings.
func (t *jsonTree) either(a, b string) [2]int { return [2]int{t.see(a), t.see(b)} }

// confluentMethod is the operation of an authorisation, else the method without
// its service: kafka.Fetch is Fetch.
func confluentMethod(operation, method string) string {
	if operation != "" {
		return operation
	}
	return method[strings.LastIndexByte(method, '.')+1:]
}

// setCRN reads the last part of a resource name: crn://.../topic=orders.
func setCRN(e *audit.Event, crn string) {
	kind, name, ok := strings.Cut(crn[strings.LastIndexByte(crn, '/')+1:], "=")
	if ok {
		e.ResourceType, e.ResourceName = plain.New(kind), plain.New(name)
	}
}

// setConfluentResult reads what became of a request.
func setConfluentResult(e *audit.Event, granted, status string) {
	switch status {
	case "", "SUCCESS", "RESULT_UNSPECIFIED":
	case "UNAUTHENTICATED", "PERMISSION_DENIED", "UNAUTHORIZED", "FORBIDDEN", "DENIED":
		e.Denied = true
	default:
		addField(e, "error_code", status)
	}
	if granted == "false" {
		e.Denied = true
	}
	if e.Denied {
		e.DenyBy = "authz"
		if status == "UNAUTHENTICATED" {
			e.Auth, e.UserVerified = "unverified", false
		}
	}
}
