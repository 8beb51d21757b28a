package slacktest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// object is a JSON object on its way out.
type object = map[string]any

// Call is one Web API call the app has made.
type Call struct {
	Method string
	At     time.Time
	Args   map[string]string // without the token; what is not a string is JSON
	Status int               // HTTP status; 0 when the connection was cut
	Error  string            // "" when Slack answered ok
}

// call is a Call being answered.
type call struct {
	method string
	app    bool // made with the app token
	most   int  // of one page; 0 is the method's most
	args   map[string]string
}

func (c *call) arg(name string) string { return c.args[name] }

func (c *call) has(name string) bool { _, ok := c.args[name]; return ok }

func (c *call) flag(name string) bool {
	switch c.args[name] {
	case "1", "true":
		return true
	}
	return false
}

// limit reads a page size: ordinary when it is not given, never above most, nor above
// what Options.PageMost says.
func (c *call) limit(ordinary, most int) (int, error) {
	if c.most > 0 {
		ordinary, most = min(ordinary, c.most), min(most, c.most)
	}
	s, ok := c.args["limit"]
	if !ok || s == "" || s == "0" {
		return ordinary, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0, apiError("invalid_limit")
	}
	return min(n, most), nil
}

// slackError is an answer of {"ok":false,"error":…}.
type slackError struct {
	code     string
	messages []string
	fields   object
}

func (e *slackError) Error() string { return e.code }

func apiError(code string) error { return &slackError{code: code} }

// invalid is an answer that says which parts of the arguments were wrong, in the
// two places where Slack says it.
func invalid(code string, faults []string) error {
	messages := make([]string, len(faults))
	for i, f := range faults {
		messages[i] = "[ERROR] " + f
	}
	return &slackError{code: code, messages: messages, fields: object{"errors": faults}}
}

type method struct {
	answer func(*Workspace, *call) (any, error)
	app    bool     // takes the app token
	any    bool     // takes either token
	scopes []string // one of them is needed
}

var (
	readConversations  = []string{"channels:read", "groups:read", "im:read", "mpim:read"}
	readConversation   = []string{"channels:history", "groups:history", "im:history", "mpim:history"}
	writeMessages      = []string{"chat:write"}
	writeConversations = []string{"im:write", "mpim:write", "channels:manage", "groups:write"}
)

// methods are all there are. See https://docs.slack.dev/reference/methods/.
var methods = map[string]method{
	"apps.connections.open":        {answer: (*Workspace).appsConnectionsOpen, app: true},
	"auth.teams.list":              {answer: (*Workspace).authTeamsList},
	"auth.test":                    {answer: (*Workspace).authTest, any: true},
	"chat.delete":                  {answer: (*Workspace).chatDelete, scopes: writeMessages},
	"chat.getPermalink":            {answer: (*Workspace).chatGetPermalink},
	"chat.postEphemeral":           {answer: (*Workspace).chatPostEphemeral, scopes: writeMessages},
	"chat.postMessage":             {answer: (*Workspace).chatPostMessage, scopes: writeMessages},
	"chat.update":                  {answer: (*Workspace).chatUpdate, scopes: writeMessages},
	"conversations.history":        {answer: (*Workspace).conversationsHistory, scopes: readConversation},
	"conversations.info":           {answer: (*Workspace).conversationsInfo, scopes: readConversations},
	"conversations.join":           {answer: (*Workspace).conversationsJoin, scopes: []string{"channels:join"}},
	"conversations.list":           {answer: (*Workspace).conversationsList, scopes: readConversations},
	"conversations.members":        {answer: (*Workspace).conversationsMembers, scopes: readConversations},
	"conversations.open":           {answer: (*Workspace).conversationsOpen, scopes: writeConversations},
	"conversations.replies":        {answer: (*Workspace).conversationsReplies, scopes: readConversation},
	"files.completeUploadExternal": {answer: (*Workspace).filesCompleteUpload, scopes: []string{"files:write"}},
	"files.getUploadURLExternal":   {answer: (*Workspace).filesGetUploadURL, scopes: []string{"files:write"}},
	"reactions.add":                {answer: (*Workspace).reactionsAdd, scopes: []string{"reactions:write"}},
	"users.info":                   {answer: (*Workspace).usersInfo, scopes: []string{"users:read"}},
	"users.lookupByEmail":          {answer: (*Workspace).usersLookupByEmail, scopes: []string{"users:read.email"}},
	"views.open":                   {answer: (*Workspace).viewsOpen},
	"views.publish":                {answer: (*Workspace).viewsPublish},
	"views.push":                   {answer: (*Workspace).viewsPush},
	"views.update":                 {answer: (*Workspace).viewsUpdate},
}

// allScopes are what a bot token carries where Options.Scopes is nil.
var allScopes = []string{
	"channels:history", "channels:join", "channels:manage", "channels:read", "chat:write", "commands",
	"files:read", "files:write", "groups:history", "groups:read", "groups:write", "im:history", "im:read",
	"im:write", "mpim:history", "mpim:read", "mpim:write", "reactions:write", "users:read", "users:read.email",
}

func (w *Workspace) scopes() []string {
	if w.opts.Scopes != nil {
		return w.opts.Scopes
	}
	return allScopes
}

func (w *Workspace) hasScope(name string) bool { return slices.Contains(w.scopes(), name) }

// serveMethod answers one Web API call: faults first, then the token, then the
// method itself, which runs with the workspace locked.
func (w *Workspace) serveMethod(rw http.ResponseWriter, r *http.Request) {
	name := r.PathValue("method")
	at := time.Now()
	args, token, err := arguments(r)
	if err != nil {
		w.answer(rw, Call{Method: name, At: at, Status: http.StatusOK}, nil, err)
		return
	}
	done := Call{Method: name, At: at, Args: args, Status: http.StatusOK}
	fault, delay, later := w.before(wireOf(r), name, args["channel"])
	if !w.sleep(r, delay) || fault.Cut {
		done.Status, done.Error = 0, "connection cut before the call"
		w.record(done)
		cut(rw)
		return
	}
	switch {
	case later != nil:
		done.Status, done.Error = http.StatusTooManyRequests, "ratelimited"
		w.record(done)
		w.tellToWait(rw, later, jsonType, `{"ok":false,"error":"ratelimited"}`)
		return
	case fault.Status != 0:
		done.Status, done.Error = fault.Status, http.StatusText(fault.Status)
		w.record(done)
		rw.Header().Set("Content-Type", "text/html")
		rw.WriteHeader(fault.Status)
		_, _ = io.WriteString(rw, "<html><body>"+http.StatusText(fault.Status)+"</body></html>")
		return
	case fault.Error != "":
		w.answer(rw, done, nil, apiError(fault.Error))
		return
	}
	if code := w.refuses(name, args); code != "" {
		w.answer(rw, done, nil, apiError(code))
		return
	}
	result, err := w.perform(name, token, args)
	if fault.CutAfter {
		done.Status, done.Error = 0, "connection cut after the call"
		w.record(done)
		cut(rw)
		return
	}
	w.answer(rw, done, result, err)
}

func (w *Workspace) perform(name, token string, args map[string]string) (any, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	m, ok := methods[name]
	if !ok {
		w.problemLocked("%s: unknown_method", name)
		return nil, apiError("unknown_method")
	}
	c := &call{method: name, args: args, most: w.opts.PageMost}
	switch {
	case token == "":
		return nil, apiError("not_authed")
	case token == w.AppToken:
		c.app = true
	case token != w.BotToken:
		return nil, apiError("invalid_auth")
	}
	if c.app != m.app && !m.any {
		return nil, apiError("not_allowed_token_type")
	}
	if !c.app && len(m.scopes) > 0 && !slices.ContainsFunc(m.scopes, w.hasScope) {
		return nil, &slackError{code: "missing_scope", fields: object{
			"needed": strings.Join(m.scopes, ","), "provided": strings.Join(w.scopes(), ","),
		}}
	}
	return m.answer(w, c)
}

// answer writes what Slack says and remembers the call before the app hears of it.
func (w *Workspace) answer(rw http.ResponseWriter, done Call, result any, err error) {
	body := object{"ok": true}
	if fields, ok := result.(object); ok {
		maps.Copy(body, fields)
	}
	if err != nil {
		e, ok := errors.AsType[*slackError](err)
		if !ok {
			e = &slackError{code: "fatal_error"}
			w.problem("%s: %v", done.Method, err)
		}
		body = object{"ok": false, "error": e.code}
		maps.Copy(body, e.fields)
		if len(e.messages) > 0 {
			body["response_metadata"] = object{"messages": e.messages}
			w.problem("%s: %s: %s", done.Method, e.code, strings.Join(e.messages, "; "))
		}
		done.Error = e.code
	}
	w.record(done)
	rw.Header().Set("X-OAuth-Scopes", strings.Join(w.scopes(), ","))
	writeJSON(rw, done.Status, body)
}

const jsonType = "application/json; charset=utf-8"

func writeJSON(rw http.ResponseWriter, status int, body any) {
	rw.Header().Set("Content-Type", jsonType)
	rw.WriteHeader(status)
	_ = json.NewEncoder(rw).Encode(body)
}

func (w *Workspace) record(c Call) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, c)
	w.changedLocked()
}

// Calls lists every Web API call that has been answered, in that order.
func (w *Workspace) Calls() []Call {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.calls)
}

// Count tells how often method was called, whatever the answer; "" is any method.
func (w *Workspace) Count(method string) int {
	n := 0
	for _, c := range w.Calls() {
		if method == "" || c.Method == method {
			n++
		}
	}
	return n
}

// arguments reads the query, a form or a JSON object, and the token from the
// Authorization header or from the form: never from the query or from JSON.
// See https://docs.slack.dev/apis/web-api/#basics.
func arguments(r *http.Request) (args map[string]string, token string, err error) {
	args = map[string]string{}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch kind {
	case "application/json":
		body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		if err != nil {
			return nil, "", apiError("request_timeout")
		}
		var fields map[string]json.RawMessage
		if len(body) > 0 {
			if err := json.Unmarshal(body, &fields); err != nil {
				return nil, "", apiError("invalid_json")
			}
		}
		for name, raw := range fields {
			var s string
			if string(raw) == "null" {
				continue
			}
			if json.Unmarshal(raw, &s) != nil {
				s = string(raw)
			}
			args[name] = s
		}
		delete(args, "token")
	case "multipart/form-data":
		if err := r.ParseMultipartForm(1 << 20); err != nil {
			return nil, "", apiError("invalid_form_data")
		}
	case "application/x-www-form-urlencoded", "":
		if err := r.ParseForm(); err != nil {
			return nil, "", apiError("invalid_form_data")
		}
	default:
		return nil, "", apiError("invalid_post_type")
	}
	for name, values := range r.URL.Query() {
		args[name] = values[0]
	}
	for name, values := range r.PostForm {
		args[name] = values[0]
	}
	token = r.PostForm.Get("token")
	delete(args, "token")
	if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		token = bearer
	}
	return args, token, nil
}

// refused is what a person runs into who tries what Slack's own windows would
// not let them do. The app never hears of it.
func refused(format string, args ...any) error {
	return fmt.Errorf("not possible in Slack: "+format, args...)
}
