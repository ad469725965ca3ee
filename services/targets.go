package services

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tallystick/tallystick/internal/text"
)

// Targets are the parts that a process can run, in the order in which they
// start.
var Targets = []string{"ledger", "auditor", "alerter", "reporter", "console", "tap"}

// ParseTargets reads all or a list such as tap,auditor.
func ParseTargets(s string) ([]string, error) {
	if s == "" || s == "all" {
		return Targets, nil
	}
	var out []string
	for name := range strings.SplitSeq(s, ",") {
		if !slices.Contains(Targets, name) {
			return nil, &text.Hint{Err: fmt.Errorf("--target %s: no such part", name), Hint: "all, or a list of " + strings.Join(Targets, ", ")}
		}
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out, nil
}

// CheckTargets refuses parts in several processes that could not meet, and a
// second one of what an installation has once.
func CheckTargets(targets []string, c *Config) error {
	if c.Home() != c.Data {
		for _, t := range targets {
			if t != "auditor" && t != "tap" {
				return &text.Hint{
					Err:  fmt.Errorf("--target %s: an installation has one %s, with the data folder %s", strings.Join(targets, ","), t, c.Home()),
					Hint: "run --target auditor or --target tap with another data folder, and the rest without installation",
				}
			}
		}
	}
	if len(targets) == len(Targets) || (len(c.Kafka.Addresses) > 0 && c.ClickHouse.Address != "") {
		return nil
	}
	return &text.Hint{
		Err:  fmt.Errorf("--target %s: parts in several processes meet in Kafka and ClickHouse, and here at least one of them is embedded", strings.Join(targets, ",")),
		Hint: "set kafka.addresses and clickhouse.address, or run without --target",
	}
}
