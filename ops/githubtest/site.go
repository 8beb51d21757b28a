package githubtest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"html"
	"mime"
	"net/http"
	"net/url"
	"strings"
)

const tooFast = "Whoa there! You have exceeded a secondary rate limit. Please wait a few minutes before you try again; in some cases this may take up to an hour."

// site is what github.com answers, below /login/: the fault, the page. It has no API's headers and looks at no token.
func (s *Server) site(r *request, found bool, f Fault) answer {
	a, failed := r.siteFailure(f)
	switch {
	case failed:
	case !found:
		s.problem("%s %s: githubtest doesn't know this endpoint", r.Method, r.URL.Path)
		a = r.siteError(http.StatusNotFound, "")
	default:
		a = r.route.handle(s, r)
	}
	a.set("Cache-Control", "max-age=0, private, must-revalidate")
	a.set("Vary", "X-PJAX, X-PJAX-Container, Turbo-Visit, Turbo-Frame, Accept-Encoding, Accept, X-Requested-With")
	return a
}

// siteFailure is the answer that a fault gives instead of the truth; false where it lets the truth be told.
func (r *request) siteFailure(f Fault) (answer, bool) {
	var a answer
	switch {
	case f.RateLimited, f.Secondary:
		a = page500(cmp.Or(f.Status, http.StatusTooManyRequests), cmp.Or(f.Message, tooFast))
	case f.Status >= http.StatusInternalServerError:
		a = page500(f.Status, cmp.Or(f.Message, http.StatusText(f.Status)))
	case f.Status != 0:
		a = r.siteError(f.Status, f.Message)
	default:
		return answer{}, false
	}
	f.dress(&a)
	return a, true
}

// page500 is what a browser would show.
func page500(status int, text string) answer {
	a := answer{status: status, raw: fmt.Appendf(nil, "<!DOCTYPE html>\n<html><body><p>%s</p></body></html>\n", html.EscapeString(text))}
	a.set("Content-Type", "text/html; charset=utf-8")
	return a
}

func (r *request) siteError(status int, message string) answer {
	return r.form(status, map[string]any{"error": cmp.Or(message, http.StatusText(status))})
}

// form answers form-encoded, as OAuth endpoints of GitHub do, or as JSON to those who accept that. (GitHub has XML too.)
// https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps#2-users-are-redirected-back-to-your-site-by-github
func (r *request) form(status int, fields map[string]any) answer {
	a := answer{status: status}
	for accept := range strings.SplitSeq(r.Header.Get("Accept"), ",") {
		if kind, _, _ := mime.ParseMediaType(accept); kind == "application/json" {
			a.body = fields
			a.set("Content-Type", "application/json; charset=utf-8")
			return a
		}
	}
	values := url.Values{}
	for key, value := range fields {
		values.Set(key, fmt.Sprint(value))
	}
	a.raw = []byte(values.Encode())
	a.set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	return a
}

// parameter is what a call to github.com says, be it in its query, its form or its JSON.
func (r *request) parameter(name string) string {
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind == "application/json" {
		var body map[string]any
		if json.Unmarshal(r.content, &body) == nil {
			if value, ok := body[name].(string); ok {
				return value
			}
		}
	} else if values, err := url.ParseQuery(string(r.content)); err == nil && values.Has(name) {
		return values.Get(name)
	}
	return r.URL.Query().Get(name)
}
