package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/tallystick/tallystick/internal/embedded/broker"
	"github.com/tallystick/tallystick/internal/store/storetest"
	"github.com/tallystick/tallystick/services"
)

// composeFile is what the tests read of docker-compose.yml.
type composeFile struct {
	Services map[string]composeService `yaml:"services"`
	Volumes  map[string]any            `yaml:"volumes"`
}

type composeService struct {
	Image       string            `yaml:"image"`
	User        string            `yaml:"user"`
	Command     []string          `yaml:"command"`
	Entrypoint  []string          `yaml:"entrypoint"`
	Environment map[string]string `yaml:"environment"`
	Ports       []string          `yaml:"ports"`
	Volumes     []string          `yaml:"volumes"`
	Hostname    string            `yaml:"hostname"`
}

func readCompose(t *testing.T) composeFile {
	t.Helper()
	b, err := os.ReadFile("../../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	var f composeFile
	if err := yaml.Unmarshal(b, &f); err != nil {
		t.Fatal(err)
	}
	return f
}

// runs returns the services that run targets, with their flags.
func (f composeFile) runs() map[string][]string {
	out := map[string][]string{}
	for name, s := range f.Services {
		if len(s.Command) > 0 && s.Command[0] == "run" {
			out[name] = s.Command
		}
	}
	return out
}

func TestComposeIsSafe(t *testing.T) {
	f := readCompose(t)
	var targets []string
	for name, command := range f.runs() {
		if len(command) != 3 || command[1] != "--target" {
			t.Fatalf("%s: command %q, want run --target LIST", name, command)
		}
		targets = append(targets, strings.Split(command[2], ",")...)
	}
	slices.Sort(targets)
	if want := slices.Sorted(slices.Values(services.Targets)); !slices.Equal(targets, want) {
		t.Errorf("the services run the targets %q, want each of %q once", targets, want)
	}
	tag := regexp.MustCompile(`^[a-z0-9./-]+:(local|v?[0-9]+(\.[0-9]+)+)$`)
	for name, s := range f.Services {
		if !tag.MatchString(s.Image) {
			t.Errorf("%s: image %q is not pinned by a version", name, s.Image)
		}
		for _, p := range s.Ports {
			if !strings.HasPrefix(p, "127.0.0.1:") {
				t.Errorf("%s publishes %s beyond loopback", name, p)
			}
		}
		for key, value := range s.Environment {
			if strings.Contains(key, "PASSWORD") && (!strings.HasSuffix(key, "_FILE") || !strings.HasPrefix(value, "/secrets/")) {
				t.Errorf("%s: %s is not a file of the secrets", name, key)
			}
		}
		if strings.HasPrefix(s.User, "0") && name != "init" {
			t.Errorf("%s runs as root", name)
		}
		for _, v := range s.Volumes {
			from, _, _ := strings.Cut(v, ":")
			if strings.HasPrefix(from, "./") {
				if _, err := os.Stat("../../" + from); err != nil {
					t.Errorf("%s mounts %s, which is not there", name, from)
				}
			} else if _, ok := f.Volumes[from]; !ok {
				t.Errorf("%s mounts the volume %s, which is not declared", name, from)
			}
		}
	}
}

// TestComposeRuns starts the services of docker-compose.yml as processes, with
// the same files and flags. Only addresses and folders are rewritten: Kafka is
// kfake with its password instead of a certificate, ClickHouse is libchdb.
func TestComposeRuns(t *testing.T) {
	storetest.Need(t)
	s := newSplit(t)
	stops := map[string]func(){}
	for name, command := range readCompose(t).runs() {
		stops[name] = s.start(name, command)
	}
	var console string
	s.until("the console is there", func() bool {
		select {
		case console = <-s.url:
		default:
		}
		return console != ""
	})
	s.until("the console answers", func() bool {
		res, err := http.Get(console + "/readyz")
		return err == nil && res.Body.Close() == nil && res.StatusCode == http.StatusOK
	})
	s.cli("correct horse battery staple\n", "user", "add", "ana", "--role", "administrator", "--role", "officer", "--role", "auditor")
	browser := s.signIn(console, "ana", "correct horse battery staple")

	const lines = 40
	log, err := os.OpenFile(s.log, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	for i := range lines {
		if _, err := log.WriteString(s.envoyLine(i)); err != nil {
			t.Fatal(err)
		}
	}
	var page struct {
		Items []map[string]any `json:"items"`
	}
	s.until("the entries show in the console", func() bool {
		res, err := browser.Get(console + "/api/v1/entries?limit=100")
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(res.Body)
		if err != nil || res.Body.Close() != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("answer %d %s %v", res.StatusCode, b, err)
		}
		if err := json.Unmarshal(b, &page); err != nil {
			t.Fatalf("%v in %s", err, b)
		}
		return len(page.Items) == lines
	})
	if got := page.Items[0]["purpose"]; got != "support" {
		t.Errorf("purpose %v, want support", got)
	}
	// The acts of the command line reach the process with the auditor.
	if got := s.cli("", "sql", "SELECT count() FROM entries"); got != fmt.Sprintln(lines) {
		t.Errorf("count %q, want %d", got, lines)
	}
	if got := s.cli("", "ledger", "verify"); !strings.HasSuffix(got, "verified\n") {
		t.Errorf("verify: %s", got)
	}
	if got := s.cli("", "ingest", "--summary", "json", "--source", "gateway", s.log); !strings.Contains(got, fmt.Sprintf(`"entries":0,"rejections":0,"duplicates":%d`, lines)) {
		t.Errorf("ingest of the tailed file: %s", got)
	}
	// A report of the console's process gets its leaf from the ledger's.
	out := filepath.Join(s.dir, "report.json")
	s.cli("", "report", "render", "gdpr-accountability", "--from", "2026-11-01", "--to", "2026-12-01", "--format", "json", "-o", out)
	if b, err := os.ReadFile(out); err != nil || !bytes.Contains(b, []byte("gdpr-accountability")) {
		t.Errorf("report: %v", err)
	}

	// A second auditor takes over from one that stops.
	s.start("second auditor", []string{"run", "--target", "auditor", "--data", filepath.Join(s.dir, "second"), "--installation", filepath.Join(s.dir, "data"), "--metrics", "127.0.0.1:0"})
	s.until("the second auditor has its lock", func() bool {
		_, err := os.Stat(filepath.Join(s.dir, "second", "lock.auditor"))
		return err == nil
	})
	stops["auditor"]()
	if _, err := log.WriteString(s.envoyLine(lines)); err != nil {
		t.Fatal(err)
	}
	s.until("the second auditor stores entries", func() bool {
		res, err := browser.Get(console + "/api/v1/entries?limit=100")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		return json.NewDecoder(res.Body).Decode(&page) == nil && len(page.Items) == lines+1
	})
	for _, shared := range []string{"installation", "keys", "registers.db", "ledger", "socket"} {
		if _, err := os.Lstat(filepath.Join(s.dir, "second", shared)); err == nil {
			t.Errorf("the second auditor has %s of its own", shared)
		}
	}
}

// split is a deployment of processes that share a folder.
type split struct {
	t      *testing.T
	dir    string
	config string // folder of tallystick.yaml and datamap.yaml
	log    string // that the tap reads
	url    chan string
	format map[string]string // of Envoy's access log
}

func newSplit(t *testing.T) *split {
	dir := t.TempDir()
	s := &split{t: t, dir: dir, config: filepath.Join(dir, "etc"), log: filepath.Join(dir, "logs", "access.log"), url: make(chan string, 1)}
	for _, d := range []string{s.config, filepath.Dir(s.log), filepath.Join(dir, "data"), filepath.Join(dir, "kek"), filepath.Join(dir, "secrets")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	kafka, err := broker.Start(filepath.Join(dir, "kafka"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = kafka.Close() })
	clickhouse := httptest.NewServer(storetest.Engine(t).Handler())
	t.Cleanup(clickhouse.Close)
	user, password := kafka.Credentials()
	secret := filepath.Join(dir, "secrets", "kafka.password")
	s.write(secret, password+"\n")
	s.write(filepath.Join(dir, "secrets", "clickhouse.password"), "\n")

	console := freePort(t)
	b, err := os.ReadFile("../../deploy/tallystick.yaml")
	if err != nil {
		t.Fatal(err)
	}
	rewrite := []string{
		"/var/lib/tallystick-kek/", dir + "/kek/", "/var/lib/tallystick", dir + "/data", "/var/log/envoy/access.log", s.log,
		`["kafka:9093"]`, `["` + kafka.Addr() + `"]`,
		"tls: {enabled: true, ca_file: /secrets/ca.pem, cert_file: /secrets/tallystick.pem, key_file: /secrets/tallystick.key}",
		"sasl: {mechanism: scram-sha-256, user: " + user + ", password_file: " + secret + "}",
		"http://clickhouse:8123", clickhouse.URL, "/secrets/", dir + "/secrets/",
		"0.0.0.0:8080", console, "127.0.0.1:8080", console, "0.0.0.0:9464", "127.0.0.1:0",
	}
	for i := 0; i < len(rewrite); i += 2 {
		if !strings.Contains(string(b), rewrite[i]) {
			t.Fatalf("deploy/tallystick.yaml has no %s", rewrite[i])
		}
	}
	text := strings.NewReplacer(rewrite...).Replace(string(b))
	s.write(filepath.Join(s.config, "tallystick.yaml"), text)
	b, err = os.ReadFile("../../deploy/datamap.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s.write(filepath.Join(s.config, "datamap.yaml"), string(b))
	s.format = envoyFormat(t)
	return s
}

// envoyFormat is the json_format of deploy/envoy.yaml.
func envoyFormat(t *testing.T) map[string]string {
	b, err := os.ReadFile("../../deploy/envoy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	path, err := yaml.PathString("$.static_resources.listeners[0].filter_chains[0].filters[0].typed_config.access_log[0].typed_config.log_format.json_format")
	if err != nil {
		t.Fatal(err)
	}
	format := map[string]string{}
	if err := path.Read(bytes.NewReader(b), &format); err != nil {
		t.Fatal(err)
	}
	return format
}

// envoyLine is a line as Envoy writes it with that format.
func (s *split) envoyLine(i int) string {
	values := map[string]any{
		"%START_TIME%": time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), "%REQ(:METHOD)%": "GET", "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%": fmt.Sprintf("/v1/customers/%d", 8000+i),
		"%PROTOCOL%": "HTTP/1.1", "%RESPONSE_CODE%": 200, "%RESPONSE_FLAGS%": "-", "%BYTES_RECEIVED%": 0, "%BYTES_SENT%": 3, "%DURATION%": 1, "%REQ(USER-AGENT)%": "curl/8.5.0",
		"%REQ(X-REQUEST-ID)%": fmt.Sprintf("b4c1a7b2-0000-4000-8000-%012d", i), "%REQ(:AUTHORITY)%": "shop.example", "%DOWNSTREAM_REMOTE_ADDRESS%": "203.0.113.7:40000",
		"%DOWNSTREAM_TLS_VERSION%": nil, "%REQ(X-PURPOSE)%": "support",
	}
	line := map[string]any{}
	for key, operator := range s.format {
		v, ok := values[operator]
		if !ok {
			s.t.Fatalf("no value for %s of deploy/envoy.yaml", operator)
		}
		line[key] = v
	}
	b, err := json.Marshal(line)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b) + "\n"
}

func (s *split) command(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], append([]string{"--config", filepath.Join(s.config, "tallystick.yaml")}, args...)...)
	cmd.Env = append(os.Environ(), asBinary+"=1", "XDG_CONFIG_HOME="+filepath.Join(s.dir, "config"))
	return cmd
}

// start starts a service until the test ends or stop is called. It has to end
// well.
func (s *split) start(name string, args []string) (stop func()) {
	cmd := s.command(args...)
	var log bytes.Buffer
	cmd.Stderr = &log
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if u, ok := strings.CutPrefix(lines.Text(), "console: "); ok {
				s.url <- u
			}
		}
	}()
	stop = sync.OnceFunc(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-read
		if err := cmd.Wait(); err != nil {
			s.t.Errorf("%s: %v", name, err)
		}
	})
	s.t.Cleanup(func() {
		stop()
		if s.t.Failed() {
			s.t.Logf("log of %s:\n%s", name, log.String())
		}
	})
	return stop
}

// cli runs a command of the service cli and returns what it printed.
func (s *split) cli(in string, args ...string) string {
	s.t.Helper()
	cmd := s.command(args...)
	cmd.Stdin = strings.NewReader(in)
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	if err := cmd.Run(); err != nil {
		s.t.Fatalf("%s: %v\n%s%s", strings.Join(args, " "), err, out.String(), log.String())
	}
	return out.String()
}

var csrf = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// signIn returns a client with a session of the console.
func (s *split) signIn(console, name, password string) *http.Client {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	c := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := c.Get(console + "/sign-in")
	if err != nil {
		s.t.Fatal(err)
	}
	b, err := io.ReadAll(res.Body)
	if err != nil || res.Body.Close() != nil {
		s.t.Fatal(err)
	}
	token := csrf.FindSubmatch(b)
	if token == nil {
		s.t.Fatalf("no form on the sign-in page: %s", b)
	}
	req, err := http.NewRequest(http.MethodPost, console+"/sign-in",
		strings.NewReader(url.Values{"csrf": {string(token[1])}, "name": {name}, "password": {password}}.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", console)
	if res, err = c.Do(req); err != nil {
		s.t.Fatal(err)
	}
	if _ = res.Body.Close(); res.StatusCode != http.StatusSeeOther {
		s.t.Fatalf("sign-in: answer %d", res.StatusCode)
	}
	return c
}

// until polls until ok or 30 s have passed.
func (s *split) until(what string, ok func() bool) {
	s.t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			s.t.Fatalf("it took more than 30 s until %s", what)
		}
	}
}

func (s *split) write(path, text string) {
	s.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// freePort is a loopback address that is free now.
func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	return ln.Addr().String()
}
