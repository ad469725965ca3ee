package console

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/tallystick/tallystick/internal/registers"
)

type signInView struct {
	Next    string
	Name    string
	Token   string
	Problem string // sentence, or ""
	Minimum int
}

func (s *Console) signInPage(r *request) error {
	if r.user.Name != "" {
		r.Redirect(http.StatusSeeOther, "/")
		return nil
	}
	r.render(http.StatusOK, "sign-in", "console.title.signin", signInView{Next: localPath(r.Query("next"))})
	return nil
}

// signIn checks the password, writes the trail and only then opens a session.
// An unknown name never reaches the trail: people type passwords there.
func (s *Console) signIn(r *request) error {
	name, next := r.PostForm("name"), localPath(r.PostForm("next"))
	if !s.limiter.allow("address "+r.RemoteIP(), 20) || !s.limiter.allow("name "+name, 5) {
		return errTooMany
	}
	select {
	case s.hashing <- struct{}{}:
	case <-r.Request.Context().Done():
		return errUnavailable
	}
	u, err := s.deps.Registers.CheckPassword(r.Request.Context(), name, r.PostForm("password"))
	<-s.hashing
	if errors.Is(err, registers.ErrSignIn) {
		if err := s.deps.Registers.Record(r.Request.Context(), "unknown", "console.sign-in", "", false, ""); err != nil {
			return errTrail
		}
		r.render(http.StatusUnauthorized, "sign-in", "console.title.signin",
			signInView{Next: next, Name: name, Problem: r.p.T("console.error.password", nil)})
		return nil
	}
	if err != nil {
		return err
	}
	r.user = u
	if err := r.act("console.sign-in", "", ""); err != nil {
		return err
	}
	s.limiter.forget("name " + name)
	return s.openSession(r, next)
}

func (s *Console) openSession(r *request, next string) error {
	token, err := s.deps.Registers.CreateSession(r.Request.Context(), r.user.Name, s.cfg.SessionTTL)
	if err != nil {
		return err
	}
	s.setCookie(r, sessionCookie, token, int(s.cfg.SessionTTL/time.Second))
	s.setCookie(r, visitorCookie, "", -1)
	r.Redirect(http.StatusSeeOther, next)
	return nil
}

func (s *Console) signOut(r *request) error {
	if err := r.act("console.sign-out", "", ""); err != nil {
		return err
	}
	if err := s.deps.Registers.EndSession(r.Request.Context(), r.token); err != nil {
		return err
	}
	s.setCookie(r, sessionCookie, "", -1)
	r.Redirect(http.StatusSeeOther, "/sign-in")
	return nil
}

func (s *Console) setLanguage(r *request) error {
	if _, ok := s.printers[r.PostForm("language")]; !ok {
		return errBadInput
	}
	s.setCookie(r, languageCookie, r.PostForm("language"), 365*24*3600)
	r.Redirect(http.StatusSeeOther, localPath(r.PostForm("next")))
	return nil
}

// welcomePage shows the form for the first account to whoever holds the
// one-time link, on this machine only.
func (s *Console) welcomePage(r *request) error {
	token := r.Query("token")
	if err := s.checkLink(r, token); err != nil {
		return err
	}
	r.render(http.StatusOK, "welcome", "console.title.welcome", signInView{Token: token, Minimum: registers.MinPassword})
	return nil
}

func (s *Console) firstAccount(r *request) error {
	token, name, password := r.PostForm("token"), r.PostForm("name"), r.PostForm("password")
	if err := s.checkLink(r, token); err != nil {
		return err
	}
	again := func(message string) error {
		r.render(http.StatusBadRequest, "welcome", "console.title.welcome",
			signInView{Token: token, Name: name, Minimum: registers.MinPassword, Problem: r.p.T(message, map[string]any{"Count": registers.MinPassword})})
		return nil
	}
	if password != r.PostForm("repeat") {
		return again("console.error.repeat")
	}
	if err := s.deps.Registers.Record(r.Request.Context(), "system:console", "user.first", "", true, ""); err != nil {
		return errTrail
	}
	err := s.deps.Registers.FirstUser(r.Request.Context(), token, name, password, registers.RoleAdministrator, registers.RoleOfficer)
	if message := accountMessage(err); message != "" {
		return again(message)
	}
	if errors.Is(err, registers.ErrNotFound) {
		return errLink
	}
	if err != nil {
		return err
	}
	r.user = registers.User{Name: name}
	if err := r.act("console.sign-in", "", ""); err != nil {
		return err
	}
	return s.openSession(r, "/")
}

// checkLink wants a browser on this machine that asks the listener itself and
// not a proxy before it.
func (s *Console) checkLink(r *request, token string) error {
	host, _, _ := net.SplitHostPort(r.Request.Host)
	ip := net.ParseIP(r.RemoteIP())
	if ip == nil || !ip.IsLoopback() || !loopbackName(host) || r.GetHeader("X-Forwarded-For") != "" || r.GetHeader("Forwarded") != "" {
		return errLoopback
	}
	if !s.limiter.allow("link "+r.RemoteIP(), 30) {
		return errTooMany
	}
	err := s.deps.Registers.SignInLinkValid(r.Request.Context(), token)
	if errors.Is(err, registers.ErrNotFound) {
		return errLink
	}
	return err
}

// accountMessage is the id of the sentence for what an account was refused
// for, or "".
func accountMessage(err error) string {
	for e, id := range map[error]string{
		registers.ErrBadName: "console.error.name", registers.ErrBadPassword: "console.error.short", registers.ErrBadRole: "console.error.role",
		registers.ErrUserExists: "console.error.taken", registers.ErrLastAdmin: "console.error.lastadmin",
	} {
		if errors.Is(err, e) {
			return id
		}
	}
	return ""
}

// localPath keeps redirects on this console.
func localPath(p string) string {
	u, err := url.Parse(p)
	if err != nil || !strings.HasPrefix(p, "/") || strings.HasPrefix(p, "//") || strings.Contains(p, `\`) || u.Host != "" || u.Scheme != "" {
		return "/"
	}
	return p
}

// limiter bounds tries per key and window. Keys are kept for one window only.
type limiter struct {
	now   func() time.Time
	mu    sync.Mutex
	start time.Time
	tries map[string]int
}

const (
	limitWindow = 5 * time.Minute
	limitKeys   = 100_000
)

func newLimiter(now func() time.Time) *limiter { return &limiter{now: now, tries: map[string]int{}} }

// allow counts a try of key and reports whether it is among the first n of the
// window. When the table is full nothing new is allowed.
func (l *limiter) allow(key string, n int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := l.now(); now.Sub(l.start) >= limitWindow {
		l.start = now
		clear(l.tries)
	}
	if _, known := l.tries[key]; !known && len(l.tries) >= limitKeys {
		return false
	}
	l.tries[key]++
	return l.tries[key] <= n
}

func (l *limiter) forget(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.tries, key)
}

// healthz says that the process serves.
func (s *Console) healthz(r *request) error {
	r.String(http.StatusOK, "ok\n")
	return nil
}

// readyz says whether the parts behind the console answer.
func (s *Console) readyz(r *request) error {
	if err := s.deps.Ready(r.Request.Context()); err != nil {
		s.deps.Log.Warn("console: not ready", slog.String("error", err.Error()))
		r.String(http.StatusServiceUnavailable, "not ready\n")
		return nil
	}
	r.String(http.StatusOK, "ready\n")
	return nil
}

func (s *Console) metrics(r *request) error {
	if s.deps.Metrics == nil {
		return errNotFound
	}
	s.deps.Metrics.ServeHTTP(r.Writer, r.Request)
	return nil
}
