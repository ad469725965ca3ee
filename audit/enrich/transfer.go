package enrich

import (
	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/datamap"
	"github.com/tallystick/tallystick/audit/law"
)

// lawsOf are the laws on transfers that bind the organisation for a system in
// a country: that of the organisation and that of the system. There may be
// none: the CCPA has no rule on transfers, and other laws are not known here.
func (s *Stage) lawsOf(system string) []string {
	var out []string
	for _, country := range []string{s.m.Organisation.Country, system} {
		of := ""
		switch {
		case country == "BR":
			of = law.LGPD
		case country != "" && s.inEEA(country):
			of = law.GDPR
		}
		if of != "" && (len(out) == 0 || out[0] != of) {
			out = append(out, of)
		}
	}
	return out
}

// inEEA asks without a time: it is for the controller's own countries, which
// the map declares as of now.
func (s *Stage) inEEA(country string) bool { return s.law.InEEA(country, latest) }

// transfer says where the data went and whether it may. Only another
// organisation imports data: own staff abroad do not, nor do people who use
// their own.
func (s *Stage) transfer(e *audit.Event, p *sourcePlan, rule *datamap.Principal) {
	e.DestCountry, e.Transfer, e.TransferRef = "", audit.TransferNone, ""
	if rule == nil || rule.Org == datamap.Own {
		if e.PrincipalKind == audit.KindUnknown {
			e.Transfer = audit.TransferUnknown
		}
		return
	}
	e.DestCountry = e.PrincipalCountry
	if e.DestCountry == "" {
		e.DestCountry = e.ClientCountry
	}
	if e.DestCountry == "" {
		e.Transfer = audit.TransferUnknown
		return
	}
	if len(p.laws) == 0 && e.DestCountry != p.country && e.DestCountry != s.m.Organisation.Country {
		e.Transfer = audit.TransferUnknown
	}
	for _, of := range p.laws {
		kind, ref := s.judge(of, e, rule.Org, p.country)
		if rank(kind) > rank(e.Transfer) {
			e.Transfer, e.TransferRef = kind, ref
		}
	}
}

// judge applies one law. An adequacy decision with a condition counts only
// with a transfers row that says the condition is met.
func (s *Stage) judge(of string, e *audit.Event, org, exporter string) (audit.Transfer, string) {
	switch {
	case of == law.GDPR && s.law.InEEA(e.DestCountry, e.Time):
		return audit.TransferEEA, ""
	case of == law.LGPD && e.DestCountry == "BR", e.DestCountry == exporter && of != law.GDPR:
		return audit.TransferNone, ""
	}
	decision := s.law.Adequate(of, e.DestCountry, e.Time)
	if decision != nil && decision.Condition == "" {
		return audit.TransferAdequate, decision.Reference
	}
	row := s.m.TransferAt(org, e.DestCountry, e.Time)
	switch {
	case row == nil:
		return audit.TransferThird, ""
	case row.Mechanism != "adequacy":
		return audit.TransferSafe, row.Instrument
	case decision != nil:
		return audit.TransferAdequate, row.Instrument
	}
	return audit.TransferThird, "" // it claims a decision that is not in effect
}

// rank orders answers of several laws; the worst counts.
func rank(t audit.Transfer) int {
	switch t {
	case audit.TransferThird:
		return 4
	case audit.TransferSafe:
		return 3
	case audit.TransferAdequate:
		return 2
	case audit.TransferEEA:
		return 1
	}
	return 0
}
