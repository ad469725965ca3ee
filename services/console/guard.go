package console

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/text/language"

	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/internal/text"
)

// request is one request that passed the guard.
type request struct {
	*gin.Context
	s     *Console
	p     *text.Printer
	route route
	user  registers.User // zero when not signed in
	// token is the session's, or before sign-in a random one of the browser's
	// own; the CSRF token is derived from it.
	token string
	// seen is the pulse that the page's handler read before its data.
	seen *pulseState
	// within is the page of the navigation that this one belongs to, where its
	// path does not say so.
	within string
}

const (
	sessionCookie  = "tallystick_session"
	visitorCookie  = "tallystick_visitor"
	languageCookie = "tallystick_language"

	maxBody = 1 << 20

	policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

func (s *Console) headers(c *gin.Context) {
	h := c.Writer.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	h.Set("Cache-Control", "no-store")
	if s.secure {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// checkHost refuses requests under a name that is not the console's: a
// stranger's page whose name was rebound to this address. Probes go by address.
func (s *Console) checkHost(c *gin.Context) {
	if p := c.Request.URL.Path; p == "/healthz" || p == "/readyz" {
		return
	}
	if !s.hosts[strings.ToLower(c.Request.Host)] {
		c.AbortWithStatus(http.StatusMisdirectedRequest)
	}
}

// limitBody bounds the body of a request by its route.
func limitBody(rt route) gin.HandlerFunc {
	limit := int64(maxBody)
	if len(rt.Body) > 0 {
		limit = documentBytes
	}
	return func(c *gin.Context) { c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, limit) }
}

// recover answers a panic with a plain error. The panic's value is not logged:
// it could hold a value of the request.
func (s *Console) recover(c *gin.Context) {
	defer func() {
		if v := recover(); v != nil {
			if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(v)
			}
			s.deps.Log.Error("console: a request panicked", slog.String("route", c.FullPath()))
			c.AbortWithStatus(http.StatusInternalServerError)
		}
	}()
	c.Next()
}

// guard finds who asks, checks role and CSRF token, and runs the handler.
func (s *Console) guard(rt route) gin.HandlerFunc {
	return func(c *gin.Context) {
		r := &request{Context: c, s: s, route: rt, p: s.printer(c)}
		if err := s.identify(r); err != nil {
			s.fail(r, err)
			return
		}
		if err := s.admit(r); err != nil {
			s.fail(r, err)
			return
		}
		if err := rt.Handler(r); err != nil {
			s.fail(r, err)
		}
	}
}

func (s *Console) identify(r *request) error {
	if token, err := r.Cookie(sessionCookie); err == nil && token != "" {
		u, err := s.deps.Registers.SessionUser(r.Request.Context(), token)
		if err == nil {
			r.user, r.token = u, token
			return nil
		}
		if !errors.Is(err, registers.ErrNotFound) {
			return err
		}
		s.setCookie(r, sessionCookie, "", -1)
	}
	r.token, _ = r.Cookie(visitorCookie)
	if len(r.token) < 32 {
		r.token = randomToken()
		s.setCookie(r, visitorCookie, r.token, 0)
	}
	return nil
}

// admit decides: signed in, one of the roles, and for anything but reading a
// CSRF token.
func (s *Console) admit(r *request) error {
	openRoute := slices.Contains(r.route.Roles, anyone)
	switch {
	case openRoute:
	case r.user.Name == "":
		return errSignIn
	case !r.user.Has(r.route.Roles...):
		if err := s.deps.Registers.Record(r.Request.Context(), r.user.Name, "console.refused", r.route.Method+" "+r.route.Path, false, ""); err != nil {
			return errTrail
		}
		return errForbidden
	}
	if r.Request.Method == http.MethodGet || r.Request.Method == http.MethodHead {
		return nil
	}
	got := r.GetHeader("X-CSRF-Token")
	if got == "" {
		got = r.PostForm("csrf")
	}
	if subtle.ConstantTimeCompare([]byte(got), []byte(csrfOf(r.token))) != 1 {
		return errCSRF
	}
	return nil
}

// csrfOf derives the form token of a session. It says nothing about the
// session's token.
func csrfOf(token string) string {
	h := sha256.Sum256([]byte("csrf\x00" + token))
	return base64.RawURLEncoding.EncodeToString(h[:])
}

func randomToken() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

// setCookie sets a cookie for maxAge seconds; 0 is until the browser closes.
func (s *Console) setCookie(r *request, name, value string, maxAge int) {
	http.SetCookie(r.Writer, &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, Secure: s.secure, SameSite: http.SameSiteStrictMode,
	})
}

// printer picks the language: the person's choice, else the browser's.
func (s *Console) printer(c *gin.Context) *text.Printer {
	want, _ := c.Cookie(languageCookie)
	if p, ok := s.printers[want]; ok {
		return p
	}
	tags, _, err := language.ParseAcceptLanguage(c.GetHeader("Accept-Language"))
	if err == nil {
		for _, tag := range tags {
			base, _ := tag.Base()
			for _, lang := range text.Languages {
				if b, _ := language.Make(lang).Base(); b == base {
					return s.printers[lang]
				}
			}
		}
	}
	return s.printers[text.Languages[0]]
}

// problem is an error that a person or a client sees: a status, a stable code
// and the id of a sentence.
type problem struct {
	status  int
	code    string
	message string
	detail  string // for programs, in English; it holds no value
}

func (p *problem) Error() string { return p.code }

var (
	errSignIn      = &problem{status: http.StatusUnauthorized, code: "sign-in", message: "console.error.signin"}
	errForbidden   = &problem{status: http.StatusForbidden, code: "forbidden", message: "console.error.forbidden"}
	errCSRF        = &problem{status: http.StatusForbidden, code: "csrf", message: "console.error.csrf"}
	errNotFound    = &problem{status: http.StatusNotFound, code: "not-found", message: "console.error.notfound"}
	errBadInput    = &problem{status: http.StatusBadRequest, code: "bad-input", message: "console.error.input"}
	errPseudonym   = &problem{status: http.StatusBadRequest, code: "not-a-pseudonym", message: "console.error.pseudonym"}
	errErasure     = &problem{status: http.StatusConflict, code: "erasure", message: "console.error.erasure"}
	errLimit       = &problem{status: http.StatusTooManyRequests, code: "limit", message: "console.error.limit"}
	errTooMany     = &problem{status: http.StatusTooManyRequests, code: "too-many", message: "console.error.toomany"}
	errNotHere     = &problem{status: http.StatusNotFound, code: "not-running-here", message: "console.error.nothere"}
	errLoopback    = &problem{status: http.StatusForbidden, code: "loopback-only", message: "console.error.loopback"}
	errLink        = &problem{status: http.StatusNotFound, code: "link", message: "console.error.link"}
	errTrail       = &problem{status: http.StatusServiceUnavailable, code: "trail", message: "console.error.trail"}
	errUnavailable = &problem{status: http.StatusServiceUnavailable, code: "unavailable", message: "console.error.unavailable"}
)

// fail answers with an error: JSON for the API, a page for people.
func (s *Console) fail(r *request, err error) {
	var p *problem
	switch {
	case errors.As(err, &p):
	case errors.Is(err, registers.ErrNotFound):
		p = errNotFound
	case r.Request.Context().Err() != nil: // who asked went elsewhere
		r.Abort()
		return
	default:
		p = errUnavailable
		s.deps.Log.Error("console: a request failed", slog.String("route", r.route.Path), slog.String("error", err.Error()))
	}
	if r.Writer.Written() {
		return
	}
	if strings.HasPrefix(r.Request.URL.Path, "/api/") {
		r.AbortWithStatusJSON(p.status, apiError{Code: p.code, Message: r.p.T(p.message, nil), Detail: p.detail})
		return
	}
	if p == errSignIn && r.Request.Method == http.MethodGet {
		r.Redirect(http.StatusSeeOther, "/sign-in?next="+url.QueryEscape(r.Request.URL.RequestURI()))
		return
	}
	r.render(p.status, "error", p.title(), errorView{Code: p.code, Message: r.p.T(p.message, nil)})
}

type errorView struct{ Code, Message string }

// title is the id of a page's heading about the problem.
func (p *problem) title() string {
	switch {
	case p == errLink:
		return "console.title.link"
	case p.status == http.StatusNotFound:
		return "console.title.notfound"
	case p.status == http.StatusForbidden:
		return "console.title.forbidden"
	}
	return "console.title.error"
}

// act writes an act to the trail before it happens. If that fails the act must
// not happen.
func (r *request) act(act, object, reason string) error {
	if err := r.s.deps.Registers.Record(r.Request.Context(), r.user.Name, act, object, true, reason); err != nil {
		r.s.deps.Log.Error("console: failed to write the trail", slog.String("act", act), slog.String("error", err.Error()))
		return errTrail
	}
	return nil
}

func (r *request) now() time.Time { return r.s.deps.Now().UTC() }
