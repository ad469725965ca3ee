package services

import (
	"bytes"
	"errors"
	"strings"

	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/masking/detect"
	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/masking/transform"
	"github.com/tallystick/tallystick/services/console"
)

// documents is how the API finds and masks: by the files that the configuration
// names, as they are now.
type documents struct{ policies }

func (a *App) documents() console.Masking {
	return documents{policies{&a.cfg.Masking, a.dir.path, a.log}}
}

// Detect hands what is found in each line to found.
func (d documents) Detect(text []byte, found func(console.DocumentFinding) error) error {
	rules, err := loadRules(d.cfg.Detectors)
	if err != nil {
		return err
	}
	detector, err := detect.New(detect.Options{Rules: rules})
	if err != nil {
		return err
	}
	return detector.Lines(bytes.NewReader(text), func(line int, m detect.Match) error {
		info, _ := detector.Info(m.Kind)
		return found(console.DocumentFinding{Line: line, Kind: string(m.Kind), Category: info.Category, Start: m.Start, End: m.End,
			Confidence: m.Confidence, Validated: m.Validated})
	})
}

// Mask masks a document by a policy that is for the API.
func (d documents) Mask(name string, form console.DocumentForm, doc []byte) ([]byte, error) {
	c, err := d.find(name)
	if err != nil || !c.API {
		return nil, registers.ErrNotFound
	}
	policy, detector, err := d.Policy(name)
	if err != nil {
		return nil, err
	}
	var domain *keys.Domain
	if policy.Keyed() {
		if domain, err = d.Keys(name); err != nil {
			return nil, err
		}
	}
	m, err := transform.New(policy, detector, domain)
	if err != nil {
		return nil, err
	}
	if form == console.JSONDocument {
		return maskedLine(m, nil, 1, string(doc), true)
	}
	var out []byte
	n := 0
	for line := range strings.Lines(string(doc)) {
		n++
		text := strings.TrimRight(line, "\r\n")
		if text != "" {
			if out, err = maskedLine(m, out, n, text, form == console.JSONLines); err != nil {
				return nil, err
			}
		}
		out = append(out, line[len(text):]...)
	}
	return out, nil
}

func maskedLine(m *transform.Masker, dst []byte, line int, text string, json bool) ([]byte, error) {
	if !json {
		return m.Text(dst, text), nil
	}
	out, err := m.Document(dst, text)
	var fault *transform.LineError
	if errors.As(err, &fault) {
		before := text[:min(fault.Column-1, len(text))] // of one document that has several lines
		return nil, &console.DocumentFault{Line: line + strings.Count(before, "\n"), Column: len(before) - strings.LastIndexByte(before, '\n'), Reason: fault.Reason}
	}
	return out, err
}

var _ console.Masking = documents{}
