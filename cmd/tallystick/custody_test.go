package main

import (
	"archive/zip"
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tallystick/tallystick/internal/embedded/clickhouse"
)

// hands is a folder in which everybody has an own one, and the program.
type hands struct {
	t   *testing.T
	dir string
}

// do runs the program and returns its output; it must exit with code.
func (c *hands) do(code int, args ...string) string {
	c.t.Helper()
	cmd := c.command(args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		c.t.Fatal(err)
	}
	if got != code {
		c.t.Fatalf("tallystick %s: exit code %d, want %d\n%s", strings.Join(args, " "), got, code, out.String())
	}
	return out.String()
}

func (c *hands) command(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), asBinary+"=1", "XDG_CONFIG_HOME="+filepath.Join(c.dir, "config"))
	return cmd
}

func (c *hands) write(name, content string) {
	c.t.Helper()
	path := filepath.Join(c.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o600)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *hands) read(name string) string {
	c.t.Helper()
	b, err := os.ReadFile(filepath.Join(c.dir, name))
	if err != nil {
		c.t.Fatal(err)
	}
	return string(b)
}

// field is the value after "NAME: " in an output.
func (c *hands) field(out, name string) string {
	c.t.Helper()
	m := regexp.MustCompile(`(?m)^` + name + `: (.*)$`).FindStringSubmatch(out)
	if m == nil {
		c.t.Fatalf("no %s in %q", name, out)
	}
	return m[1]
}

// process is a custodian that runs.
type process struct {
	cmd  *exec.Cmd
	addr string
}

// run starts the custodian of a name and waits until it listens.
func (c *hands) run(name string) *process {
	c.t.Helper()
	cmd := c.command("run", "--target", "custodian", "--config", name+"/custodian.yaml")
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		c.t.Fatal(err)
	}
	p := &process{cmd: cmd}
	c.t.Cleanup(p.kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		c.t.Fatalf("%s does not start: %v", name, err)
	}
	p.addr = c.field(line, "custodian")
	return p
}

// kill ends it at once, as kill -9 does.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

const originalsLog = `203.0.113.7 - maria.silva [21/Nov/2026:10:00:00 +0000] "GET /v1/customers/4711 HTTP/1.1" 200 312 "-" "curl/8.5.0"
203.0.113.8 - joao.costa [21/Nov/2026:10:00:01 +0000] "GET /v1/customers/4712 HTTP/1.1" 200 312 "-" "curl/8.5.0"
`

// TestOriginalsBehindSeveralHands is the whole way of an original: sealed, asked
// for, approved, granted 2 of 3, opened with one custodian killed, not opened
// with two killed, and the refusals; at the end no server has anything in clear.
func TestOriginalsBehindSeveralHands(t *testing.T) {
	if _, err := os.Stat(clickhouse.LibraryPath()); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("libchdb, the embedded ClickHouse, is missing: run make fetch")
		}
		t.Skip("libchdb, the embedded ClickHouse, is missing: run make fetch")
	}
	c := &hands{t: t, dir: t.TempDir()}
	c.setUp()
	running := map[string]*process{}
	for _, name := range custodians {
		running[name] = c.run(name)
		c.do(0, "reencrypt", "send", "grant/share-"+name+".json", "--custodian", name+".json", "--keys", "ana")
	}
	open := func(code int, more ...string) string {
		t.Helper()
		return c.do(code, append([]string{"reencrypt", "open", "--bundle", "case.bundle", "--grant", "grant/grant.json", "--pins", "pins.yaml",
			"--keys", "authority/keys", "--custodian", "k1.json", "--custodian", "k2.json", "--custodian", "k3.json"}, more...)...)
	}
	for _, who := range []string{"maria.silva", "joao.costa"} {
		if out := open(0); !strings.Contains(out, "\tprincipal_id\t"+who+"\n") || strings.Contains(out, "203.0.113") {
			t.Errorf("%s is not opened, or another class is: %q", who, out)
		}
	}
	running["k1"].kill()
	if out := open(0, "--save", "opened.bundle"); !strings.Contains(out, "maria.silva") || !strings.Contains(out, "k1: no valid fragment") {
		t.Errorf("with one killed: %q", out)
	}
	running["k2"].kill()
	if out := open(1); strings.Contains(out, "maria.silva") || !strings.Contains(out, "too few custodians answered") {
		t.Errorf("with two killed: %q", out)
	}
	running["k1"], running["k2"] = c.run("k1"), c.run("k2")

	// Another reader, with the same grant; a share a second time; a limit.
	c.do(0, "reencrypt", "keygen", "--keys", "other/keys", "--name", "Somebody else", "-o", "other.json")
	if out := c.do(1, "reencrypt", "open", "--bundle", "case.bundle", "--grant", "grant/grant.json", "--pins", "pins.yaml", "--keys", "other/keys",
		"--custodian", "k1.json", "--custodian", "k2.json"); !strings.Contains(out, "names another reader") {
		t.Errorf("another reader: %q", out)
	}
	if out := c.do(2, "reencrypt", "send", "grant/share-k1.json", "--custodian", "k1.json", "--keys", "ana"); !strings.Contains(out, "replayed-grant") {
		t.Errorf("a share again: %q", out)
	}
	open(0)
	if out := open(1); !strings.Contains(out, "transforms are used up") {
		t.Errorf("over the limit: %q", out)
	}
	// The officer grants a request once, and none that nobody approved.
	if out := c.grant(2, "request.json", "again"); !strings.Contains(out, "taken before") {
		t.Errorf("a second grant of one request: %q", out)
	}
	c.request("early.json")
	if out := c.grant(2, "early.json", "early"); !strings.Contains(out, "approval of two people") {
		t.Errorf("an unapproved request: %q", out)
	}
	// A revocation deletes on all.
	if out := c.do(0, "reencrypt", "revoke", "grant/grant.json", "--reason", "case closed", "--keys", "ben", "--custodian", "k1.json", "--custodian", "k2.json", "--custodian", "k3.json"); strings.Count(out, ": deleted") != 3 {
		t.Errorf("revoked: %q", out)
	}
	if out := open(1); strings.Count(out, "the grant was revoked") != 3 {
		t.Errorf("after the revocation: %q", out)
	}
	for _, p := range running {
		p.kill()
	}
	// What was opened before stays open for its reader, without any server.
	elsewhere := &hands{t: t, dir: t.TempDir()} // a machine with the program and the file
	key := filepath.Join(c.dir, "ledger.pub")
	if out := elsewhere.do(0, "ledger", "verify", "--bundle", filepath.Join(c.dir, "opened.bundle"), "--key", key); !strings.Contains(out, "2 entries, 4 sealed originals, 2 capsules; leaves: 1") {
		t.Errorf("the bundle elsewhere: %q", out)
	}
	c.write("broken.bundle", c.read("case.bundle")[:500])
	elsewhere.do(2, "ledger", "verify", "--bundle", filepath.Join(c.dir, "broken.bundle"), "--key", key)
	out := c.do(0, "reencrypt", "open", "--bundle", "opened.bundle", "--pins", "pins.yaml", "--keys", "authority/keys")
	if !strings.Contains(out, "maria.silva") {
		t.Errorf("the saved bundle: %q", out)
	}
	c.sealAgain()
	c.noneInClear()
}

// sealAgain seals what was opened to the person whom it is about.
func (c *hands) sealAgain() {
	c.t.Helper()
	c.do(0, "reencrypt", "keygen", "--keys", "person/keys", "--name", "Maria Silva", "-o", "person.json")
	cmd := c.command("reencrypt", "seal", "--to", "person.json", "--fingerprint", c.fingerprint("person.json"), "-o", "grant/answer.sealed")
	cmd.Stdin = strings.NewReader("principal_id maria.silva\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		c.t.Fatalf("seal: %s", out)
	}
	if out := c.do(0, "reencrypt", "unseal", "grant/answer.sealed", "--keys", "person/keys"); out != "principal_id maria.silva\n" {
		c.t.Errorf("unsealed: %q", out)
	}
	c.do(2, "reencrypt", "unseal", "grant/answer.sealed", "--keys", "other/keys")
}

var custodians = []string{"k1", "k2", "k3"}

// setUp makes everybody's keys, seals two lines and grants them to an authority.
func (c *hands) setUp() {
	officer := c.do(0, "keys", "officer", "--store", "officer/store", "--half", "officer/half-one", "--half", "officer/half-two")
	month := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC).Format("2006-01")
	c.do(0, "keys", "vault", "--store", "officer/store", "--half", "officer/half-one", "--half", "officer/half-two", "--class", "identity", "--class", "network",
		"--from", month, "--months", "2", "-o", "vault.json")
	c.write("tallystick.yaml", "vault: {keys: vault.json, officer: "+c.field(officer, "officer")+"}\n")
	c.write("access.log", originalsLog)
	c.do(0, "ingest", "--format", "nginx:combined", "access.log")
	if out := c.do(0, "ledger", "verify"); !strings.Contains(out, "verified") {
		c.t.Fatalf("the record: %q", out)
	}
	var people strings.Builder
	for name, may := range map[string]string{"ana": "request", "ben": "approve, revoke", "eva": "approve, confirm"} {
		key := c.field(c.do(0, "keys", "person", "--keys", name), "key")
		fmt.Fprintf(&people, "- {name: %s, key: %s, may: [%s]}\n", name, key, may)
	}
	key := c.do(0, "ledger", "key")
	c.write("ledger.pub", key)
	pins := fmt.Sprintf("officer: %s\nsigner: %s\nledger: %s\npeople:\n%s", c.field(officer, "officer"), c.field(officer, "signer"),
		strings.TrimSpace(key), people.String())
	c.write("pins.yaml", pins)
	c.do(0, "reencrypt", "keygen", "--keys", "authority/keys", "--name", "Supervisory authority, unit 3", "-o", "authority.json")
	card := c.do(2, "reencrypt", "confirm", "authority.json", "--fingerprint", "00", "--keys", "eva")
	if !strings.Contains(card, "another fingerprint") {
		c.t.Errorf("confirmed without looking: %q", card)
	}
	c.do(0, "reencrypt", "confirm", "authority.json", "--fingerprint", c.fingerprint("authority.json"), "--keys", "eva")
	c.request("request.json")
	c.do(0, "reencrypt", "approve", "request.json", "--keys", "ben")
	c.do(0, "reencrypt", "approve", "request.json", "--keys", "eva")
	for _, name := range custodians {
		address := freePort(c.t)
		c.do(0, "keys", "custodian", "--keys", name+"/keys", "--name", name, "--address", address, "-o", name+".json")
		c.write(name+"/custodian.yaml", fmt.Sprintf("name: %s\nlisten: %s\npins:\n  %s", name, address, strings.ReplaceAll(strings.TrimSpace(pins), "\n", "\n  ")))
	}
	c.grant(0, "request.json", "grant")
	if out := c.do(0, "keys", "list", "--store", "officer/store", "--half", "officer/half-one", "--half", "officer/half-two"); strings.Count(out, "reencrypt/vault-") != 4 {
		c.t.Errorf("the officer's keys: %q", out)
	}
	ids := strings.Fields(c.do(0, "sql", "--format", "csv", "SELECT event_id FROM entries"))[1:]
	out := c.do(0, append([]string{"reencrypt", "bundle", "--reason", "CASE-7", "-o", "case.bundle"}, ids...)...)
	if out != "2 entries, 4 sealed originals under 2 capsules\n" {
		c.t.Errorf("bundle: %q", out)
	}
}

func (c *hands) fingerprint(card string) string {
	c.t.Helper()
	r, err := readReader(filepath.Join(c.dir, card))
	if err != nil {
		c.t.Fatal(err)
	}
	return r.Fingerprint()
}

func (c *hands) request(file string) {
	c.do(0, "reencrypt", "request", "--reader", "authority.json", "--class", "identity", "--from", "2026-11-01", "--until", "2026-12-01", "--purpose", "investigation",
		"--ground", "GDPR Art. 58(1)(e)", "--ticket", "CASE-7", "--ends", time.Now().UTC().AddDate(0, 1, 0).Format("2006-01-02"), "--transforms", "4", "--keys", "ana", "-o", file)
}

func (c *hands) grant(code int, request, dir string) string {
	return c.do(code, "reencrypt", "grant", "--store", "officer/store", "--half", "officer/half-two", "--half", "officer/half-one", "--pins", "pins.yaml",
		"--request", request, "--reader", "authority.json", "--custodian", "k1.json", "--custodian", "k2.json", "--custodian", "k3.json", "-o", dir)
}

// noneInClear looks into every file that a server wrote.
func (c *hands) noneInClear() {
	servers := append([]string{"data", "case.bundle", "opened.bundle", "grant"}, custodians...)
	for _, server := range servers {
		err := filepath.WalkDir(filepath.Join(c.dir, server), func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			b, err := os.ReadFile(path)
			if strings.HasSuffix(path, ".bundle") {
				b = unzipped(c.t, b)
			}
			for _, clear := range []string{"maria.silva", "joao.costa", "203.0.113.7"} {
				if bytes.Contains(b, []byte(clear)) {
					c.t.Errorf("%s has an original in clear", path)
				}
			}
			return err
		})
		if err != nil {
			c.t.Fatal(err)
		}
	}
}

// unzipped is the content of all files of an archive.
func unzipped(t *testing.T, b []byte) []byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	var out []byte
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		part, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil {
			t.Fatal(err)
		}
		out = append(out, part...)
	}
	return out
}
