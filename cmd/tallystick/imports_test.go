package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/tallystick/tallystick/"

// imports returns the direct imports of every package of the module, tests
// left out, both without the module's prefix.
func imports(t *testing.T) map[string][]string {
	t.Helper()
	cmd := exec.Command("go", "list", "-f", `{{.ImportPath}}: {{join .Imports " "}}`, "./...")
	cmd.Dir = "../.."
	b, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	out := map[string][]string{}
	for line := range strings.Lines(string(b)) {
		pkg, list, _ := strings.Cut(strings.TrimSpace(line), ":")
		for _, i := range strings.Fields(list) {
			out[strings.TrimPrefix(pkg, module)] = append(out[strings.TrimPrefix(pkg, module)], strings.TrimPrefix(i, module))
		}
	}
	if len(out) < 20 {
		t.Fatalf("only %d packages listed", len(out))
	}
	return out
}

// TestDriversHaveOneImporter: a driver is spoken to in one place.
func TestDriversHaveOneImporter(t *testing.T) {
	only := map[string][]string{
		"github.com/segmentio/kafka-go":                              {"internal/broker", "internal/broker/brokertest", "internal/bench/naive"},
		"github.com/ClickHouse/clickhouse-go":                        {"internal/store", "internal/embedded/clickhouse", "internal/bench/naive"},
		"github.com/ClickHouse/ch-go":                                {"internal/store", "internal/embedded/clickhouse"},
		"github.com/gin-gonic/gin":                                   {"services/console"},
		"github.com/robfig/cron":                                     {"services/reporter"},
		"github.com/expr-lang/expr":                                  {"audit/control"},
		"github.com/google/cel-go":                                   {"audit/control"},
		"github.com/twmb/franz-go":                                   {"internal/embedded/broker"},
		"github.com/ebitengine/purego":                               {"internal/embedded/clickhouse"},
		"modernc.org/sqlite":                                         {"internal/registers"},
		"github.com/pressly/goose":                                   {"internal/registers"},
		"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset":  {"masking/keys"},
		"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess": {"masking/keys"},
		"github.com/tink-crypto/tink-go/v2/keyset":                   {"masking/keys", "masking/seal"},
		"github.com/aws/aws-sdk-go-v2":                               {"masking/keys/kms", "masking/keys/kms/kmstest"},
		"golang.org/x/oauth2":                                        {"masking/keys/kms"},
		"masking/keys/kms":                                           {"services"},
		"gitlab.com/yawning/secp256k1-voi":                           {"masking/reencrypt"},
		"codeberg.org/go-pdf/fpdf":                                   {"reports", "reports/..."},
		"internal/embedded":                                          {"services", "internal/store/storetest", "internal/broker/brokertest", "internal/bench/naive", "internal/bench/store"},
		"masking/plainaccess": {"masking", "masking/plain", "masking/detect", "masking/pseudonym", "masking/generalise", "masking/seal",
			"audit/parse", "audit/normalize", "audit/enrich", "audit/classify", "audit/source/file", "audit/source/push/pushtest", "audit/datamap", "services/tap", "cmd/tallystick", "services"},
	}
	for pkg, list := range imports(t) {
		for _, i := range list {
			for driver, allowed := range only {
				if (i == driver || strings.HasPrefix(i, driver+"/")) && !within(pkg, allowed) && !within(pkg, []string{driver + "/..."}) {
					t.Errorf("%s imports %s, which only %s may", pkg, i, strings.Join(allowed, ", "))
				}
			}
		}
	}
}

// TestArrowsPointDown: cmd, services, services/*, stages, types, in this order.
func TestArrowsPointDown(t *testing.T) {
	for pkg, list := range imports(t) {
		for _, i := range list {
			switch {
			case strings.HasPrefix(i, "cmd/"):
				t.Errorf("%s imports a command", pkg)
			case i == "services" && !strings.HasPrefix(pkg, "cmd/"):
				t.Errorf("%s imports services, which only cmd may", pkg)
			case strings.HasPrefix(i, "services/") && pkg != "services" && top(pkg, 2) != top(i, 2):
				t.Errorf("%s imports %s: services never import each other, only services wires them", pkg, i)
			case isStage(i) && isStage(pkg) && top(pkg, 2) != top(i, 2) && !stageMayUse(pkg, i):
				t.Errorf("%s imports %s: stages meet only in services and audit/pipeline", pkg, i)
			case top(pkg, 1) == "masking" && top(i, 1) == "audit" && i != "audit":
				t.Errorf("%s imports %s: masking knows audit's types only", pkg, i)
			case pkg == "audit" && strings.Contains(i, "."):
				t.Errorf("audit imports %s: types import no driver", i)
			case (pkg == "schemas" || pkg == "templates") && i != "embed":
				t.Errorf("%s imports %s: it only embeds", pkg, i)
			}
		}
	}
}

// TestClearValuesStopAtTheMask: what stores, sends and shows can't read a clear value.
func TestClearValuesStopAtTheMask(t *testing.T) {
	for pkg, list := range imports(t) {
		if !within(pkg, []string{"internal/...", "audit/control", "audit/ledger", "audit/alert", "audit/alert/...", "reports", "reports/...",
			"services/console", "services/ledger", "services/alerter", "services/reporter", "services/auditor"}) {
			continue
		}
		if slices.Contains(list, "masking/plainaccess") {
			t.Errorf("%s imports masking/plainaccess: it sees entries and findings only", pkg)
		}
	}
}

func isStage(pkg string) bool {
	return within(pkg, []string{"audit/parse", "audit/normalize", "audit/enrich", "audit/classify", "audit/control", "audit/alert", "audit/ledger"})
}

// stageMayUse lists what is not a stage's own work: none.
func stageMayUse(string, string) bool { return false }

func within(pkg string, list []string) bool {
	for _, l := range list {
		if base, ok := strings.CutSuffix(l, "/..."); ok && strings.HasPrefix(pkg, base+"/") {
			return true
		}
		if pkg == l {
			return true
		}
	}
	return false
}

func top(pkg string, n int) string {
	parts := strings.Split(pkg, "/")
	return strings.Join(parts[:min(n, len(parts))], "/")
}
