package datamap

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"golang.org/x/text/language"

	"github.com/tallystick/tallystick/audit/law"
	"github.com/tallystick/tallystick/internal/strictyaml"
)

var (
	principalKinds = []string{"staff", "service", "recipient", "broker", "self"}
	orgTypes       = []string{"processor", "controller", "joint-controller", "service-provider", "contractor", "third-party"}
	mechanisms     = []string{"adequacy", "scc", "bcr", "code", "certification", "consent", "derogation"}
	// businessPurposes are those of Cal. Civ. Code § 1798.140(e)(1)-(8).
	businessPurposes = []string{"auditing", "security and integrity", "debugging", "short-term transient use", "performing services",
		"advertising and marketing", "internal research", "quality and safety"}
	gdprBases    = []string{"6(1)(a)", "6(1)(b)", "6(1)(c)", "6(1)(d)", "6(1)(e)", "6(1)(f)"}
	gdprSpecials = []string{"9(2)(a)", "9(2)(b)", "9(2)(c)", "9(2)(d)", "9(2)(e)", "9(2)(f)", "9(2)(g)", "9(2)(h)", "9(2)(i)", "9(2)(j)"}
	lgpdBases    = []string{"7-I", "7-II", "7-III", "7-IV", "7-V", "7-VI", "7-VII", "7-VIII", "7-IX", "7-X", "11-I",
		"11-II-a", "11-II-b", "11-II-c", "11-II-d", "11-II-e", "11-II-f", "11-II-g"}
)

// checker applies the rules of the file format and fills what the map derives.
// It stops at the first fault.
type checker struct {
	m        *Map
	doc      *strictyaml.Doc
	taxonomy *Taxonomy
	warnings []string
	err      error

	systems, purposes, orgs map[string]int
	used                    map[string]bool // purposes that a resource lists
}

func (c *checker) check() error {
	c.systems, c.purposes, c.orgs, c.used = map[string]int{}, map[string]int{}, map[string]int{}, map[string]bool{}
	for _, rules := range []func(){c.organisations, c.systemRows, c.purposeRows, c.resources, c.principals, c.transfers, c.remarks} {
		if rules(); c.err != nil {
			return c.err
		}
	}
	return nil
}

func (c *checker) fail(path, hint, format string, args ...any) {
	if c.err == nil {
		c.err = c.doc.Fault(path, hint, format, args...)
	}
}

func (c *checker) warn(path, format string, args ...any) {
	c.warnings = append(c.warnings, c.doc.Place(path)+": "+fmt.Sprintf(format, args...))
}

func (c *checker) organisations() {
	own := &c.m.Organisation
	if own.Key == "" {
		own.Key = Own
	}
	if own.Name == "" {
		c.fail("organisation", "write organisation: {name: ..., country: DE}", "organisation.name is missing; it names the controller in every report")
	}
	c.country("organisation.country", own.Country, true)
	c.orgs[Own], c.orgs[own.Key] = 0, 0
	for i := range c.m.Organisations {
		o, path := &c.m.Organisations[i], fmt.Sprintf("organisations[%d]", i)
		c.key(path+".key", o.Key, c.orgs, i)
		c.oneOf(path+".type", o.Type, orgTypes, false)
		c.country(path+".country", o.Country, false)
		o.contract = c.period(path, "contract_from", o.ContractFrom, "contract_until", o.ContractUntil)
	}
}

func (c *checker) systemRows() {
	if len(c.m.Systems) == 0 {
		c.fail("systems", "write systems: [{key: crm, name: CRM, country: DE}]", "systems is missing; at least one is needed")
	}
	for i := range c.m.Systems {
		s, path := &c.m.Systems[i], fmt.Sprintf("systems[%d]", i)
		c.key(path+".key", s.Key, c.systems, i)
		c.country(path+".country", s.Country, false)
	}
}

func (c *checker) purposeRows() {
	for i := range c.m.Purposes {
		p, path := &c.m.Purposes[i], fmt.Sprintf("purposes[%d]", i)
		c.key(path+".key", p.Key, c.purposes, i)
		c.languages(path+".name", p.Name)
		c.languages(path+".retention", p.Retention)
		c.languages(path+".source", p.Source)
		if p.DataUse != "" && c.taxonomy.uses[p.DataUse] == nil {
			c.fail(path+".data_use", c.nearest(p.DataUse, c.taxonomy.uses), "%q is not a fideslang data use", p.DataUse)
		}
		c.oneOf(path+".legal_basis.gdpr", p.LegalBasis.GDPR, gdprBases, false)
		c.oneOf(path+".legal_basis.gdpr_special", p.LegalBasis.Special, gdprSpecials, false)
		c.oneOf(path+".legal_basis.lgpd", p.LegalBasis.LGPD, lgpdBases, false)
		c.oneOf(path+".business_purpose", p.BusinessPurpose, businessPurposes, false)
		c.categories(path, p.Categories, p.SubjectTypes)
		for j, r := range p.Recipients {
			c.reference(fmt.Sprintf("%s.recipients[%d]", path, j), r, "organisation", c.orgs)
		}
		p.period = c.period(path, "from", p.From, "until", p.Until)
		c.day(path+".reviewed", p.Reviewed)
		p.basis = basisText(p.LegalBasis)
	}
}

func basisText(b LegalBasis) string {
	var out []string
	if b.GDPR != "" {
		out = append(out, "GDPR "+b.GDPR)
	}
	if b.Special != "" {
		out = append(out, "GDPR "+b.Special)
	}
	if b.LGPD != "" {
		out = append(out, "LGPD "+b.LGPD)
	}
	return strings.Join(out, ", ")
}

func (c *checker) resources() {
	seen := map[string]int{}
	for i := range c.m.Resources {
		r, path := &c.m.Resources[i], fmt.Sprintf("resources[%d]", i)
		r.index = i
		c.reference(path+".system", r.System, "system", c.systems)
		p, err := parsePattern(r.Match)
		if err != nil {
			c.fail(path+".match", `for example "GET /v1/customers/{subject:customer_id}" or "topic customer-events"`, "%q: %s", r.Match, err)
			return
		}
		r.pattern = p
		id := r.System + " " + p.canonical()
		if j, ok := seen[id]; ok {
			c.fail(path+".match", "remove one of them", "%q fits the same as resources[%d] of %s", r.Match, j, r.System)
		}
		seen[id] = i
		c.categories(path, r.Categories, r.SubjectTypes)
		for _, k := range r.Categories {
			r.special = r.special || c.taxonomy.Special(k)
		}
		for j, k := range r.Purposes {
			at := c.reference(fmt.Sprintf("%s.purposes[%d]", path, j), k, "purpose", c.purposes)
			if c.err != nil {
				return
			}
			c.used[k] = true
			r.purposes = append(r.purposes, &c.m.Purposes[at])
		}
	}
}

func (c *checker) principals() {
	for i := range c.m.Principals {
		p, path := &c.m.Principals[i], fmt.Sprintf("principals[%d]", i)
		if star := strings.IndexByte(p.Match, '*'); p.Match == "" || star >= 0 && star != len(p.Match)-1 {
			c.fail(path+".match", `for example "svc-*"`, "%q is neither a name nor the beginning of one followed by *", p.Match)
		}
		c.oneOf(path+".kind", p.Kind, principalKinds, true)
		if p.Org == "" {
			p.Org = Own
		}
		c.reference(path+".org", p.Org, "organisation", c.orgs)
		if c.m.IsOwn(p.Org) {
			p.Org = Own
		}
		c.country(path+".country", p.Country, false)
		switch {
		case p.Kind == "recipient" && p.Org == Own:
			c.fail(path+".org", "name one of organisations", "a recipient belongs to another organisation than the controller")
		case p.Kind == "self" && p.Subject == "":
			c.fail(path+".kind", "write subject: customer_id, or the kind that your resources use", "a principal of kind self needs the kind of subject that it can be")
		case p.Kind != "self" && p.Subject != "":
			c.fail(path+".subject", "remove it, or write kind: self", "subject belongs to principals of kind self")
		}
	}
}

func (c *checker) transfers() {
	for i := range c.m.Transfers {
		t, path := &c.m.Transfers[i], fmt.Sprintf("transfers[%d]", i)
		c.reference(path+".organisation", t.Organisation, "organisation", c.orgs)
		c.country(path+".country", t.Country, true)
		c.oneOf(path+".mechanism", t.Mechanism, mechanisms, true)
		t.period = c.period(path, "from", t.From, "until", t.Until)
		c.day(path+".tia", t.TIA)
	}
}

// remarks warns of what is likely a mistake but not wrong.
func (c *checker) remarks() {
	for i := range c.m.Resources {
		r, path := &c.m.Resources[i], fmt.Sprintf("resources[%d]", i)
		if len(r.Categories) > 0 && len(r.Purposes) == 0 {
			c.warn(path, "the resource has personal data and no purpose: every access to it will be a finding of AC-01")
		}
		for _, k := range r.Categories {
			if len(r.purposes) > 0 && !slices.ContainsFunc(r.purposes, func(p *Purpose) bool {
				return len(p.Categories) == 0 || slices.ContainsFunc(p.Categories, func(d string) bool { return Covers(d, k) })
			}) {
				c.warn(path+".categories", "category %s is in none of the resource's purposes", k)
			}
		}
		if r.special && !slices.ContainsFunc(r.purposes, func(p *Purpose) bool {
			return p.LegalBasis.Special != "" || strings.HasPrefix(p.LegalBasis.LGPD, "11-")
		}) {
			c.warn(path+".categories", "a special category without a condition of GDPR Art. 9(2) or LGPD Art. 11 in any of its purposes")
		}
	}
	for i := range c.m.Purposes {
		if p := &c.m.Purposes[i]; !c.used[p.Key] {
			c.warn(fmt.Sprintf("purposes[%d]", i), "no resource lists the purpose %s", p.Key)
		}
	}
}

func (c *checker) key(path, key string, known map[string]int, i int) {
	if key == "" || strings.Trim(key, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		c.fail(path, "for example support", "%q is not a key of lower-case letters, digits, - and _", key)
		return
	}
	if _, ok := known[key]; ok {
		c.fail(path, "give it another key", "the key %q is there already", key)
	}
	known[key] = i
}

func (c *checker) reference(path, key, what string, known map[string]int) int {
	at, ok := known[key]
	if !ok {
		names := make([]string, 0, len(known))
		for k := range known {
			names = append(names, k)
		}
		sort.Strings(names)
		c.fail(path, fmt.Sprintf("declare it under %ss, or use one of: %s", what, strings.Join(names, ", ")), "%s %q is not declared", what, key)
	}
	return at
}

func (c *checker) categories(path string, categories, subjects []string) {
	for j, k := range categories {
		if c.taxonomy.categories[k] == nil {
			c.fail(fmt.Sprintf("%s.categories[%d]", path, j), c.nearest(k, c.taxonomy.categories), "%q is not a fideslang data category", k)
		}
	}
	for j, k := range subjects {
		if c.taxonomy.subjects[k] == nil {
			c.fail(fmt.Sprintf("%s.subject_types[%d]", path, j), c.nearest(k, c.taxonomy.subjects), "%q is not a fideslang data subject", k)
		}
	}
}

// nearest is a hint with the keys that share most of the dotted path, or the
// top of the taxonomy.
func (c *checker) nearest(key string, known map[string]*Term) string {
	for prefix := key; ; {
		var near []string
		for k := range known {
			if Covers(prefix, k) {
				near = append(near, k)
			}
		}
		if len(near) > 0 {
			sort.Strings(near)
			return "use one of: " + strings.Join(near, ", ")
		}
		i := strings.LastIndexByte(prefix, '.')
		if i < 0 {
			break
		}
		prefix = prefix[:i]
	}
	var top []string
	for k := range known {
		if !strings.Contains(k, ".") || strings.HasSuffix(k, "."+key) {
			top = append(top, k)
		}
	}
	sort.Strings(top)
	return "use one of these or what lies below them: " + strings.Join(top, ", ")
}

func (c *checker) oneOf(path, value string, allowed []string, required bool) {
	if value == "" && !required || slices.Contains(allowed, value) {
		return
	}
	c.fail(path, "use one of: "+strings.Join(allowed, ", "), "%q is not a value of %s", value, path[strings.LastIndexByte(path, '.')+1:])
}

func (c *checker) country(path, code string, required bool) {
	if code == "" && !required {
		return
	}
	r, err := language.ParseRegion(code)
	if err != nil || len(code) != 2 || r.String() != code || r.Canonicalize() != r || !r.IsCountry() {
		c.fail(path, "use the code of ISO 3166-1: DE, BR, US, GB", "%q is not a country code of two capital letters", code)
	}
}

func (c *checker) languages(path string, w Words) {
	for lang := range w {
		if lang == "" {
			continue
		}
		if t, err := language.Parse(lang); err != nil || t.String() != lang {
			c.fail(path+"."+lang, "for example en or pt-BR", "%q is not a language tag", lang)
		}
	}
}

func (c *checker) day(path, day string) {
	if _, err := law.NewPeriod(day, ""); err != nil {
		c.fail(path, "write 2026-11-21", "%q is not a day", day)
	}
}

func (c *checker) period(path, fromKey, from, untilKey, until string) law.Period {
	c.day(path+"."+fromKey, from)
	c.day(path+"."+untilKey, until)
	if from != "" && until != "" && until < from {
		c.fail(path+"."+untilKey, "the last day may not be before the first", "%s ends before it begins", path)
	}
	p, _ := law.NewPeriod(from, until)
	return p
}
