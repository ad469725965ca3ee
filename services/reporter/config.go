package reporter

import (
	"fmt"
	"slices"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/reports"
	"github.com/tallystick/tallystick/reports/render"
)

// Config configures the reporter.
type Config struct {
	// Dir is the folder of the report files. Set by the program: reports in the
	// data folder.
	Dir string `yaml:"-"`
	// Generator is the name and version of the program. Set by the program.
	Generator string `yaml:"-"`
	// Schedules run beside those of the register.
	Schedules []Schedule `yaml:"schedules"`
}

// Schedule renders one kind of report by the clock.
type Schedule struct {
	// Name tells schedules of the configuration apart. A new name is a new
	// schedule: it does not make up for runs before it.
	Name string `yaml:"name"`
	// Kind is the kind of report: gdpr-accountability, ccpa-metrics, lgpd-record.
	Kind string `yaml:"kind"`
	// Cron has five fields: minute, hour, day of month, month, weekday.
	Cron string `yaml:"cron"`
	// Zone is the IANA time zone of Cron and of the report. Default UTC.
	Zone string `yaml:"zone"`
	// Span is the last whole day, week, month, quarter or year. Default month.
	Span string `yaml:"span"`
	// Language is en or pt-BR. Default: the language of the kind.
	Language string `yaml:"language"`
	// Formats are html, pdf, csv and json. Default: all.
	Formats []string `yaml:"formats"`
}

// Validate checks all schedules.
func (c *Config) Validate() error {
	seen := map[string]bool{}
	for i := range c.Schedules {
		s := &c.Schedules[i]
		if s.Name == "" || seen[s.Name] {
			return &text.Hint{Err: fmt.Errorf("schedule %d of the reports has no name of its own", i+1), Hint: "give each schedule a name"}
		}
		seen[s.Name] = true
		if err := s.Validate(); err != nil {
			return err
		}
	}
	return nil
}

// Validate checks one schedule and fills its defaults.
func (s *Schedule) Validate() error {
	if s.Zone == "" {
		s.Zone = "UTC"
	}
	if s.Span == "" {
		s.Span = "month"
	}
	if len(s.Formats) == 0 {
		s.Formats = slices.Clone(render.Formats)
	}
	if _, err := reports.Lookup(s.Kind); err != nil {
		return err
	}
	if _, err := s.clock(); err != nil {
		return &text.Hint{Err: fmt.Errorf("schedule %s: the cron expression or the zone is not valid", s.Name), Hint: `write five fields, for example "0 6 1 * *", and a zone like Europe/Berlin`}
	}
	if _, err := reports.Previous(s.Span, s.Zone, time.Unix(0, 0)); err != nil {
		return fmt.Errorf("schedule %s: %w", s.Name, err)
	}
	for _, f := range s.Formats {
		if !slices.Contains(render.Formats, f) {
			return &text.Hint{Err: fmt.Errorf("schedule %s: unknown report format %q", s.Name, f), Hint: "use html, pdf, csv or json"}
		}
	}
	if s.Language != "" && !slices.Contains(text.Languages, s.Language) {
		return &text.Hint{Err: fmt.Errorf("schedule %s: reports are not written in %q", s.Name, s.Language), Hint: "use en or pt-BR"}
	}
	return nil
}

// Next is when a schedule falls due after a time. Validate has filled its
// defaults.
func (s *Schedule) Next(after time.Time) (time.Time, error) {
	clock, err := s.clock()
	if err != nil {
		return time.Time{}, err
	}
	return clock.Next(after), nil
}

// clock is the schedule's cron clock in its zone.
func (s *Schedule) clock() (cron.Schedule, error) {
	return cron.ParseStandard("CRON_TZ=" + s.Zone + " " + s.Cron)
}
