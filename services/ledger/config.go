package ledger

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"github.com/tallystick/tallystick/audit/ledger/witness"
	"github.com/tallystick/tallystick/internal/text"
)

// Config is the section ledger of tallystick.yaml. Its zero value keeps the log
// on this machine only.
type Config struct {
	// Listen is HOST:PORT where tile clients read the log, without sign-in:
	// /checkpoint and /tile/. It shows names of chunks, times and counts, and no
	// row. Empty: no listener.
	Listen string `yaml:"listen,omitempty"`
	// Every is how often a new checkpoint goes to the witnesses and is published.
	// Default 1m, at least 1s.
	Every time.Duration `yaml:"every,omitempty"`
	// Publish says where checkpoints are left for others to keep.
	Publish PublishConfig `yaml:"publish,omitempty"`
	// Witnesses cosign checkpoints. Without one, whoever controls this machine
	// could rewrite the record.
	Witnesses []WitnessConfig `yaml:"witnesses,omitempty"`

	Dir    string `yaml:"-"` // folder of the log: checkpoint, tile/, rows/
	Origin string `yaml:"-"` // name of the log in its checkpoints; never changes
	// Poll is how often it is looked what waits, without a nudge. Default 500 ms.
	Poll time.Duration `yaml:"-"`
	// Look is for how long chunks that nobody told of are not looked for, which
	// costs the most. Default 0: each time.
	Look time.Duration `yaml:"-"`
	// Late is how long a chunk may wait before that is a finding. Default one
	// minute.
	Late time.Duration `yaml:"-"`
}

// PublishConfig says where the newest checkpoint is put, with the witnesses'
// signatures if there are some.
type PublishConfig struct {
	// File is the path of a file that is replaced each time; put it on a medium
	// that this machine can't take back. Optional.
	File string `yaml:"file,omitempty"`
	// URL gets the checkpoint by POST, as text/plain. Optional.
	URL string `yaml:"url,omitempty"`
	// Topic is a Kafka topic that gets it as a message, for example
	// checkpoints.v1. It is created if it is missing. Optional.
	Topic string `yaml:"topic,omitempty"`
}

// WitnessConfig is one witness (c2sp.org/tlog-witness).
type WitnessConfig struct {
	// Name is what the witness is called here. Required, unique.
	Name string `yaml:"name"`
	// URL is the witness's submission prefix, for example
	// https://witness.example.org. Required.
	URL string `yaml:"url"`
	// Key is its public key, NAME+HASH+KEY; tallystick ledger witness prints it.
	// Required.
	Key string `yaml:"key"`
}

// DefaultEvery is Config.Every where it is not set.
const DefaultEvery = time.Minute

// Validate reports the first fault, with the field's path.
func (c *Config) Validate() error {
	if c.Listen != "" {
		if _, _, err := net.SplitHostPort(c.Listen); err != nil {
			return &text.Hint{Err: errors.New("ledger.listen: not HOST:PORT"), Hint: "write listen: 127.0.0.1:8082"}
		}
	}
	if c.Every != 0 && c.Every < time.Second {
		return &text.Hint{Err: errors.New("ledger.every: shorter than a second"), Hint: "write every: 1m"}
	}
	if c.Publish.URL != "" && !isHTTP(c.Publish.URL) {
		return &text.Hint{Err: errors.New("ledger.publish.url: not an http or https address"), Hint: "write url: https://keeper.example.org/checkpoints"}
	}
	seen := map[string]bool{}
	for i, w := range c.Witnesses {
		at := fmt.Sprintf("ledger.witnesses[%d]", i)
		if w.Name == "" || seen[w.Name] {
			return &text.Hint{Err: fmt.Errorf("%s: it needs a name of its own", at), Hint: "add name: custodian-1"}
		}
		seen[w.Name] = true
		if !isHTTP(w.URL) {
			return &text.Hint{Err: fmt.Errorf("%s.url: witness %q: not an http or https address", at, w.Name), Hint: "write url: https://witness.example.org"}
		}
		if _, err := witness.NewClient(w.Name, w.URL, w.Key); err != nil {
			return &text.Hint{Err: fmt.Errorf("%s.key: %w", at, err), Hint: "copy the line that tallystick ledger witness prints"}
		}
	}
	return nil
}

func isHTTP(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
}
