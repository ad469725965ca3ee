package services

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/tallystick/tallystick/internal/strictyaml"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking/detect"
	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/masking/transform"
)

// MaskingConfig is what detection and masking share.
type MaskingConfig struct {
	// Detectors is a rules file with your own detectors and values that are no
	// findings, for the auditor, the API and the masker. The auditor reads it
	// again when it changes. Optional.
	Detectors string `yaml:"detectors,omitempty"`
	// Policies are policies of the stand-alone masker, for the API and for
	// streams of the masker.
	Policies []PolicyConfig `yaml:"policies,omitempty"`
}

// PolicyConfig is a policy under a name.
type PolicyConfig struct {
	// Name is what requests and streams call it. Required.
	Name string `yaml:"name"`
	// File is the policy. Required.
	File string `yaml:"file"`
	// Keys is the key file of its domain, made at first use. Default
	// mask/DOMAIN.keys in the data folder.
	Keys string `yaml:"keys,omitempty"`
	// API lets people with the role officer or engineer mask documents by it
	// through /api/v1/mask. Who may do so can test a guess. Default false.
	API bool `yaml:"api,omitempty"`
}

// policies opens the configured policies, and the detectors they are used with.
type policies struct {
	cfg  *MaskingConfig
	data string
	log  *slog.Logger
}

func (c *Config) validateMasking(d *strictyaml.Doc) error {
	seen := map[string]bool{}
	for i, p := range c.Masking.Policies {
		at := fmt.Sprintf("masking.policies[%d]", i)
		switch {
		case p.Name == "" || seen[p.Name]:
			return d.Fault(at+".name", "write name: partner-a", "policy %d has no name of its own", i+1)
		case p.File == "":
			return d.Fault(at, "add file: partner-a.yaml", "policy %q has no file", p.Name)
		}
		seen[p.Name] = true
	}
	if err := c.Masker.Validate(c.Kafka); err != nil {
		return section(d, "masker", err)
	}
	for i, s := range c.Masker.Streams {
		if !seen[s.Policy] {
			return d.Fault(fmt.Sprintf("masker.streams[%d].policy", i), "name one of masking.policies", "stream %q: there is no policy %q", s.Name, s.Policy)
		}
	}
	return nil
}

// loadRules reads the rules file; nil where none is configured.
func loadRules(path string) (*detect.Rules, error) {
	if path == "" {
		return nil, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, &text.Hint{Err: fmt.Errorf("failed to read the rules of detectors: %w", err), Hint: "check masking.detectors in tallystick.yaml"}
	}
	return detect.ParseRules(path, b)
}

func (p policies) find(name string) (*PolicyConfig, error) {
	for i := range p.cfg.Policies {
		if p.cfg.Policies[i].Name == name {
			return &p.cfg.Policies[i], nil
		}
	}
	return nil, fmt.Errorf("there is no policy of that name")
}

// Policy reads a policy and makes its detector.
func (p policies) Policy(name string) (*transform.Policy, *detect.Detector, error) {
	c, err := p.find(name)
	if err != nil {
		return nil, nil, err
	}
	rules, err := loadRules(p.cfg.Detectors)
	if err != nil {
		return nil, nil, err
	}
	d, err := detect.New(detect.Options{Rules: rules})
	if err != nil {
		return nil, nil, err
	}
	b, err := os.ReadFile(c.File)
	if err != nil {
		return nil, nil, fmt.Errorf("failed to read policy %s: %w", name, err)
	}
	policy, err := transform.ParsePolicy(c.File, b)
	if err != nil {
		return nil, nil, err
	}
	if err := policy.Fits(d); err != nil {
		return nil, nil, &text.Hint{Err: fmt.Errorf("%s: %w", c.File, err), Hint: "use a kind or category of docs/reference/detectors.md, or name the rules file in masking.detectors"}
	}
	return policy, d, nil
}

// Keys opens or makes the key file of a policy's domain.
func (p policies) Keys(name string) (*keys.Domain, error) {
	c, err := p.find(name)
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(c.File)
	if err != nil {
		return nil, fmt.Errorf("failed to read policy %s: %w", name, err)
	}
	policy, err := transform.ParsePolicy(c.File, b)
	if err != nil {
		return nil, err
	}
	path := c.Keys
	if path == "" {
		path = filepath.Join(p.data, "mask", policy.Domain()+".keys")
	}
	d, err := keys.OpenDomain(path, policy.Domain())
	if err == nil && d.Made {
		p.log.Warn("made the keys of a domain: without this file no token can be made again or reversed, by anyone; whoever has it can do both. Copy it to a safe place", "domain", d.Name, "path", path)
	}
	return d, err
}

// checkMasking loads rules and policies without making keys.
func checkMasking(c *Config) error {
	if _, err := loadRules(c.Masking.Detectors); err != nil {
		return err
	}
	p := policies{cfg: &c.Masking}
	for i := range c.Masking.Policies {
		if _, _, err := p.Policy(c.Masking.Policies[i].Name); err != nil {
			return err
		}
	}
	return nil
}
