package services

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tallystick/tallystick/internal/text"
)

// The local interface is HTTP over a socket in the data folder that only its
// owner can open. A call answers with JSON lines: progress, then one result or
// one error.
type frame struct {
	Progress *Progress       `json:"progress,omitempty"`
	Result   json.RawMessage `json:"result,omitempty"`
	Error    string          `json:"error,omitempty"`
	Hint     string          `json:"hint,omitempty"`
}

type actorKey struct{}

// withActor says who does the acts under ctx, for the trail.
func withActor(ctx context.Context, actor string) context.Context {
	return context.WithValue(ctx, actorKey{}, actor)
}

func actorOf(ctx context.Context) string {
	if a, ok := ctx.Value(actorKey{}).(string); ok {
		return a
	}
	return osActor(os.Getuid())
}

// osActor names an OS user as the trail does.
func osActor(uid int) string {
	id := strconv.Itoa(uid)
	if u, err := user.LookupId(id); err == nil {
		return "os:" + u.Username
	}
	return "os:" + id
}

// listenLocal opens the socket, removing one that a dead process left. The
// auditor's lock is held, so no living process has it.
func listenLocal(path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("failed to make the socket's folder: %w", err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("failed to remove an old socket: %w", err)
	}
	old := unix.Umask(0o177)
	ln, err := net.Listen("unix", path)
	unix.Umask(old)
	if err != nil {
		return nil, fmt.Errorf("failed to open the local socket: %w", err)
	}
	return ln, nil
}

// localServer answers the local interface with ops.
func localServer(ops Operations) *http.Server {
	mux := http.NewServeMux()
	handle(mux, "/v1/ingest", ops.Ingest)
	handle(mux, "/v1/replay", ops.Replay)
	handle(mux, "/v1/verify", ops.Verify)
	handle(mux, "/v1/prove", plainCall(ops.Prove))
	handle(mux, "/v1/query", plainCall(ops.Query))
	handle(mux, "/v1/render", plainCall(ops.Render))
	handle(mux, "/v1/import-requests", plainCall(ops.ImportRequests))
	handle(mux, "/v1/evidence", plainCall(ops.Evidence))
	handle(mux, "/v1/watcher-key", func(ctx context.Context, _ struct{}, _ func(Progress)) (*WatcherKeyResult, error) {
		return ops.WatcherKey(ctx)
	})
	handle(mux, "/v1/grants", plainCall(ops.RegisterGrant))
	handle(mux, "/v1/user/add", noResult(ops.AddUser))
	handle(mux, "/v1/user/reset", noResult(ops.ResetPassword))
	handle(mux, "/v1/erase", plainCall(ops.Erase))
	handle(mux, "/v1/decide", noResult(ops.Decide))
	handle(mux, "/v1/checkpoint", noRequest(ops.Checkpoint))
	handle(mux, "/v1/keys", noRequest(ops.Keys))
	handle(mux, "/v1/keys/rotate", plainCall(ops.Rotate))
	handle(mux, "/v1/keys/set", noResult(ops.SetKey))
	handle(mux, "/v1/keys/request", plainCall(ops.RequestKeyAct))
	handle(mux, "/v1/keys/webhook-secret", noRequest(ops.WebhookSecret))
	handle(mux, "/v1/keys/backup", plainCall(ops.BackupKeys))
	handle(mux, "/v1/who", plainCall(ops.Who))
	handle(mux, "/v1/keys/rewrap", plainCall(ops.RewrapKEK))
	handle(mux, "/v1/hold/add", plainCall(ops.AddHold))
	handle(mux, "/v1/hold/lift", noResult(ops.LiftHold))
	handle(mux, "/v1/hold/list", noRequest(ops.Holds))
	return &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, ConnContext: peerContext}
}

// peerContext puts the OS user at the other end of the socket into the context.
func peerContext(ctx context.Context, c net.Conn) context.Context {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return ctx
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return ctx
	}
	uid := -1
	_ = raw.Control(func(fd uintptr) { uid = peerUID(int(fd)) })
	if uid < 0 {
		return ctx
	}
	return withActor(ctx, osActor(uid))
}

// maxRequest is how many bytes a request may have, without the lines that may
// follow it.
const maxRequest = 64 << 20

type call[Req, Res any] func(ctx context.Context, r Req, progress func(Progress)) (Res, error)

func plainCall[Req, Res any](f func(context.Context, Req) (Res, error)) call[Req, Res] {
	return func(ctx context.Context, r Req, _ func(Progress)) (Res, error) { return f(ctx, r) }
}

func noRequest[Res any](f func(context.Context) (Res, error)) call[struct{}, Res] {
	return func(ctx context.Context, _ struct{}, _ func(Progress)) (Res, error) { return f(ctx) }
}

func noResult[Req any](f func(context.Context, Req) error) call[Req, struct{}] {
	return func(ctx context.Context, r Req, _ func(Progress)) (struct{}, error) { return struct{}{}, f(ctx, r) }
}

func handle[Req, Res any](mux *http.ServeMux, path string, f call[Req, Res]) {
	mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
		enc := json.NewEncoder(w)
		send := func(fr frame) {
			_ = enc.Encode(fr)
			_ = http.NewResponseController(w).Flush()
		}
		var req Req
		head := &io.LimitedReader{R: r.Body, N: maxRequest}
		dec := json.NewDecoder(head)
		if err := dec.Decode(&req); err != nil {
			send(frame{Error: "the request could not be read"})
			return
		}
		progress := func(p Progress) { send(frame{Progress: &p}) }
		if in, ok := any(&req).(*IngestRequest); ok && in.Piped {
			input := bufio.NewReader(io.MultiReader(dec.Buffered(), r.Body))
			_, _ = input.Discard(1) // the line end of the request
			in.Input = input
			progress = func(Progress) {} // an answer that has begun would end the input
		}
		res, err := f(r.Context(), req, progress)
		if err != nil {
			send(frame{Error: err.Error(), Hint: text.HintOf(err)})
			return
		}
		b, err := json.Marshal(res)
		if err != nil {
			send(frame{Error: err.Error()})
			return
		}
		send(frame{Result: b})
	})
}

// Client asks a running instance. It implements Operations.
type Client struct{ http *http.Client }

var _ Operations = (*Client)(nil)

// dialLocal returns a client if an instance on a data folder listens at path,
// else nil. A socket of anyone but the owner of the installation, or root, is a
// stranger's: a short path lies where others may write too.
func dialLocal(path, data string) *Client {
	var socket, folder unix.Stat_t
	if unix.Lstat(path, &socket) != nil || unix.Stat(filepath.Join(data, "installation"), &folder) != nil || socket.Uid != folder.Uid && socket.Uid != 0 {
		return nil
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err != nil {
		return nil
	}
	_ = c.Close()
	var d net.Dialer
	return &Client{http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return d.DialContext(ctx, "unix", path) },
	}}}
}

func ask[Req, Res any](ctx context.Context, c *Client, path string, r Req, progress func(Progress)) (*Res, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	return post[Res](ctx, c, path, bytes.NewReader(body), progress)
}

// post sends a request and reads the frames of its answer.
func post[Res any](ctx context.Context, c *Client, path string, body io.Reader, progress func(Progress)) (*Res, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://local"+path, body)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("failed to ask the running instance: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	dec := json.NewDecoder(resp.Body)
	for {
		var fr frame
		if err := dec.Decode(&fr); err != nil {
			return nil, &text.Hint{Err: errors.New("the running instance ended before it answered"), Hint: "see its log, then try again"}
		}
		switch {
		case fr.Error != "" && fr.Hint != "":
			return nil, &text.Hint{Err: errors.New(fr.Error), Hint: fr.Hint}
		case fr.Error != "":
			return nil, errors.New(fr.Error)
		case fr.Progress != nil:
			if progress != nil {
				progress(*fr.Progress)
			}
		default:
			var res Res
			if err := json.Unmarshal(fr.Result, &res); err != nil {
				return nil, fmt.Errorf("failed to read the running instance's answer: %w", err)
			}
			return &res, nil
		}
	}
}
