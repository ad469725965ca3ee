package datamap

import (
	"fmt"
	"sort"
	"strings"
)

// Seen is a template that occurs in a site's logs; Template comes from a
// Deriver, so that a draft holds no clear value.
type Seen struct {
	System   string
	Template string
	// QueryKeys are keys of the queries; only those that Draft knows to name
	// people are written.
	QueryKeys []string
	Count     uint64
}

// people are the words after which an identifier is a person's, with the kind
// of subject.
var people = map[string]string{
	"customer": "customer_id", "customers": "customer_id", "client": "customer_id", "clients": "customer_id",
	"user": "user_id", "users": "user_id", "account": "account_id", "accounts": "account_id", "profile": "user_id", "profiles": "user_id",
	"member": "member_id", "members": "member_id", "patient": "patient_id", "patients": "patient_id",
	"employee": "employee_id", "employees": "employee_id", "staff": "employee_id", "person": "person_id", "persons": "person_id", "people": "person_id",
	"students": "student_id", "contact": "contact_id", "contacts": "contact_id", "subscribers": "subscriber_id",
}

// queryPeople are query keys that name people.
var queryPeople = map[string]string{
	"email": "email", "mail": "email", "e-mail": "email", "phone": "phone", "customer": "customer_id", "customer_id": "customer_id",
	"user": "user_id", "user_id": "user_id", "uid": "user_id", "account": "account_id", "account_id": "account_id",
}

// harmless are first words of resources that rarely hold personal data.
var harmless = map[string]bool{
	"static": true, "assets": true, "css": true, "js": true, "img": true, "images": true, "fonts": true, "favicon.ico": true, "robots.txt": true,
	"health": true, "healthz": true, "healthcheck": true, "readyz": true, "livez": true, "metrics": true, "ping": true, "status": true,
}

// maxDraftResources is how many resources a draft lists.
const maxDraftResources = 100

// Draft writes a first data map for templates seen in logs, most frequent
// first, with comments that say what the organisation has to decide. The
// result passes Parse.
func Draft(seen []Seen) []byte {
	var b strings.Builder
	b.WriteString(`# Draft of a data map, made from the URLs and topics in your logs. It decides
# nothing for you: replace what is marked DECIDE, then run
#   tallystick datamap check
organisation: {key: own, name: "DECIDE: name of the controller", country: DE}   # DECIDE: country
systems:
`)
	systems, rows := draftRows(seen)
	for _, s := range systems {
		fmt.Fprintf(&b, "- {key: %s, name: %s, country: DE}   # DECIDE: name and country\n", s, s)
	}
	b.WriteString(`purposes:
# DECIDE: why is the data used? One row per purpose; legal_basis is 6(1)(a) to (f)
# for the GDPR and 7-I to 7-X for the LGPD. List it under resources afterwards.
- key: service
  name: {en: Providing the service, pt-BR: Prestação do serviço}
  data_use: essential.service
  legal_basis: {gdpr: "6(1)(b)", lgpd: 7-V}
  business_purpose: performing services
  subject_types: [customer]
resources:
# {subject:KIND} marks whose data an access is about; {id} is any other value.
# categories: [] says that there is no personal data behind the resource.
# The counts are of the logs that this draft was made from.
`)
	for i, r := range rows {
		if i == maxDraftResources {
			fmt.Fprintf(&b, "# %d rarer ones are left out; they will show up as gaps.\n", len(rows)-i)
			break
		}
		b.WriteString(r.yaml)
	}
	b.WriteString(`principals:
# DECIDE: who are your people and services? Names that no row fits become gaps.
- {match: "svc-*", kind: service, label: Services}
`)
	return []byte(b.String())
}

type draftRow struct {
	yaml  string
	count uint64
}

func draftRows(seen []Seen) (systems []string, rows []draftRow) {
	known, counts := map[string]bool{}, map[[2]string]uint64{}
	for _, s := range seen {
		if !known[s.System] {
			known[s.System] = true
			systems = append(systems, s.System)
		}
		if strings.HasSuffix(s.Template, other) {
			continue
		}
		counts[[2]string{s.System, draftPattern(s)}] += s.Count
	}
	sort.Strings(systems)
	for k, n := range counts {
		rows = append(rows, draftRow{draftResource(k[0], k[1], n), n})
	}
	sort.Slice(rows, func(i, j int) bool {
		return rows[i].count > rows[j].count || rows[i].count == rows[j].count && rows[i].yaml < rows[j].yaml
	})
	return systems, rows
}

// draftPattern turns a derived template into a pattern.
func draftPattern(s Seen) string {
	method, path, _ := strings.Cut(s.Template, " ")
	if path == hidden {
		return method + " *"
	}
	if !strings.HasPrefix(path, "/") {
		return s.Template
	}
	parts := strings.Split(path, "/")
	if len(parts) > 1 && harmless[parts[1]] && len(parts) > 2 {
		return method + " /" + parts[1] + "/*"
	}
	for i, p := range parts {
		if kind := people[parts[max(i-1, 0)]]; p == hidden && kind != "" {
			parts[i] = "{subject:" + kind + "}"
		}
		if p == rest {
			parts[i] = "*"
		}
	}
	pattern := method + " " + strings.Join(parts, "/")
	keys := append([]string(nil), s.QueryKeys...)
	sort.Strings(keys)
	for _, k := range keys {
		if kind := queryPeople[k]; kind != "" {
			return pattern + "?" + k + "={subject:" + kind + "}"
		}
	}
	return pattern
}

func draftResource(system, pattern string, count uint64) string {
	first := strings.TrimPrefix(pattern[strings.IndexByte(pattern, ' ')+1:], "/")
	first, _, _ = strings.Cut(first, "/")
	switch {
	case strings.Contains(pattern, "{subject:"):
		return fmt.Sprintf("- {system: %s, match: %q, categories: [user], purposes: [service]}   # DECIDE: categories, purposes; seen %d times\n", system, pattern, count)
	case harmless[first]:
		return fmt.Sprintf("- {system: %s, match: %q, categories: []}   # seen %d times\n", system, pattern, count)
	}
	return fmt.Sprintf("- {system: %s, match: %q, categories: []}   # DECIDE: personal data? Seen %d times\n", system, pattern, count)
}
