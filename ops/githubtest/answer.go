package githubtest

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

const (
	docRoot          = "https://docs.github.com/rest"
	docGraph         = "https://docs.github.com/graphql"
	badCredentials   = "Bad credentials"
	notByIntegration = "Resource not accessible by integration"
)

// answer is what goes back: body as JSON, or raw as it is.
type answer struct {
	status int
	body   any
	raw    []byte
	header http.Header
	then   []func() // called before it is sent
}

// refuse is GitHub's error object.
// https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api
func refuse(status int, message, doc string) answer {
	return answer{status: status, body: map[string]any{
		"message": message, "documentation_url": doc, "status": strconv.Itoa(status),
	}}
}

// message replaces the message of an error, be it REST's or GraphQL's, and keeps the rest.
func (a *answer) message(text string) {
	body := a.body.(map[string]any)
	if errors, ok := body["errors"].([]map[string]any); ok {
		errors[0]["message"] = text
		return
	}
	body["message"] = text
}

func (a *answer) set(key, value string) {
	if a.header == nil {
		a.header = http.Header{}
	}
	a.header.Set(key, value)
}

// answer is the one way from a request to what goes back, by the API or by github.com.
func (s *Server) answer(r *http.Request, body []byte, f Fault) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.notify()
	to, parameters, found := find(r)
	asked := &request{Request: r, route: to, parameters: parameters, content: body}
	var a answer
	if strings.HasPrefix(r.URL.Path, "/login/") {
		a = s.site(asked, found, f)
	} else {
		a = s.api(asked, found, f)
	}
	a.then = s.concerned()
	a.set("Date", s.options.Now().UTC().Format(http.TimeFormat))
	a.set("X-GitHub-Request-Id", requestID())
	return a
}

// api is what the API answers: credentials, the fault, the route, the caller's hour, what the caller may see, the endpoint,
// ETag.
func (s *Server) api(r *request, found bool, f Fault) (a answer) {
	who, bad := s.authenticate(r.Request)
	who.graph = r.URL.Path == graphPath
	to, doc, media := r.route, docRoot, "github.v3; format=json"
	if who.graph {
		doc, media = docGraph, "github.v4; format=json"
	}
	defer func() {
		if a.header.Get("Content-Type") == "" {
			a.set("Content-Type", "application/json; charset=utf-8")
		}
		a.set("X-GitHub-Media-Type", media)
		a.set("X-GitHub-Api-Version-Selected", apiVersion)
		a.set("Cache-Control", "private, max-age=60, s-maxage=60")
		a.set("Vary", "Accept, Authorization, Cookie, X-GitHub-OTP")
		if who.classic() {
			a.set("X-OAuth-Scopes", strings.Join(who.token.scopes, ", "))
		}
	}()
	if failed, ok := s.failure(f, who); ok {
		return failed
	}
	if r.UserAgent() == "" {
		s.problem("%s %s: no User-Agent", r.Method, r.URL.Path)
		return answer{
			status: http.StatusForbidden, header: http.Header{"Content-Type": {"text/html"}},
			raw: []byte("Request forbidden by administrative rules. Please make sure your request has a User-Agent header.\n"),
		}
	}
	if v := r.Header.Get("X-GitHub-Api-Version"); v != "" && v != apiVersion {
		s.problem("%s %s: X-GitHub-Api-Version %q", r.Method, r.URL.Path, v)
		return refuse(http.StatusBadRequest, "\""+v+"\" is not a supported version.", docRoot+"/overview/api-versions")
	}
	if !found {
		s.problem("%s %s: githubtest doesn't know this endpoint", r.Method, r.URL.Path)
		return refuse(http.StatusNotFound, http.StatusText(http.StatusNotFound), docRoot)
	}
	if to.jwt && !who.signed() && bad == "" {
		bad = undecodable
	}
	if !to.jwt && who.signed() {
		bad = badCredentials
	}
	switch {
	case bad == "":
	case bad == unknownApp:
		return refuse(http.StatusNotFound, bad, doc)
	case who.graph && r.Header.Get("Authorization") == "":
		return refuse(http.StatusUnauthorized, "This endpoint requires you to be authenticated.", docGraph+"/guides/forming-calls-with-graphql#authenticating-with-graphql")
	default:
		return refuse(http.StatusUnauthorized, bad, doc)
	}
	r.who = who
	if !to.free && !s.spend(who) {
		a = exceeded(who)
	} else {
		a = s.visit(to, r)
	}
	if a.status == http.StatusOK && r.Method == http.MethodGet {
		if a.raw == nil {
			a.raw = encode(a.body)
		}
		tag := fmt.Sprintf(`W/"%x"`, sha256.Sum256(a.raw))
		a.set("ETag", tag)
		if unchanged(r.Header.Get("If-None-Match"), tag) {
			a.status, a.raw, a.body = http.StatusNotModified, nil, nil
			if !to.free {
				s.refund(who)
			}
		}
	}
	rate := s.rate(who)
	if a.header == nil {
		a.header = http.Header{}
	}
	rate.set(a.header)
	return a
}

// visit is the endpoint, behind the permission that it needs.
func (s *Server) visit(to route, r *request) answer {
	a, admitted := answer{}, true
	if to.needs != "" {
		a, admitted = s.admit(r)
	}
	switch {
	case !admitted:
	case to.members && r.who.app != nil && !r.who.may("members"):
		a = refuse(http.StatusForbidden, notByIntegration, to.doc)
	default:
		a = to.handle(s, r)
	}
	if to.needs != "" {
		a.set("X-Accepted-GitHub-Permissions", accepted(to.needs))
		if r.who.user != nil {
			a.set("X-Accepted-OAuth-Scopes", "repo")
		}
	}
	if to.members {
		a.set("X-Accepted-GitHub-Permissions", "members=read")
		if r.who.user != nil {
			a.set("X-Accepted-OAuth-Scopes", "admin:org, read:org, repo, user, write:org")
		}
	}
	return a
}

// write sends the answer; with cut, half of it and no more.
func (a answer) write(w http.ResponseWriter, cut bool) {
	body := a.raw
	if body == nil && a.body != nil {
		body = encode(a.body)
	}
	for key, values := range a.header {
		w.Header()[key] = values
	}
	if a.status != http.StatusNotModified && a.status != http.StatusNoContent {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(a.status)
	if !cut {
		w.Write(body)
		return
	}
	w.Write(body[:(len(body)+1)/2])
	http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(fmt.Sprintf("githubtest: encode an answer: %v", err))
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// unchanged compares as weakly as If-None-Match does.
func unchanged(header, tag string) bool {
	for candidate := range strings.SplitSeq(header, ",") {
		candidate = strings.TrimSpace(candidate)
		if candidate == "*" || strings.TrimPrefix(candidate, "W/") == strings.TrimPrefix(tag, "W/") {
			return true
		}
	}
	return false
}

func requestID() string {
	var b [14]byte
	rand.Read(b[:])
	return fmt.Sprintf("%X:%X:%X:%X:%X", b[:2], b[2:5], b[5:8], b[8:10], b[10:])
}
