package githubaccess

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/go-github/v62/github"

	"github.com/aws-root-account/rootbot/ops"
)

// NotFound tells whether GitHub answered 404: there is no such thing, or the token may
// not see it. A 404 of the exchange for an App's token says nothing of the thing.
func NotFound(err error) bool {
	answer, ok := errors.AsType[*github.ErrorResponse](err)
	if !ok || answer.Response == nil || answer.Response.StatusCode != http.StatusNotFound {
		return false
	}
	request := answer.Response.Request
	return request == nil || request.URL == nil || !strings.HasSuffix(request.URL.Path, "/access_tokens")
}

// Status is the status of GitHub's answer; 0: there was none, or a rate limit's.
func Status(err error) int {
	if answer, ok := errors.AsType[*github.ErrorResponse](err); ok && answer.Response != nil {
		return answer.Response.StatusCode
	}
	return 0
}

// Reason is what GitHub itself says about a call that it refused, in one line: its
// message, and of what was wrong with the parameters. Empty: it says no more than the status.
func Reason(err error) string {
	answer, ok := errors.AsType[*github.ErrorResponse](err)
	if !ok {
		return ""
	}
	parts := []string{answer.Message}
	if answer.Response != nil && (answer.Message == http.StatusText(answer.Response.StatusCode) || answer.Message == "Server Error") {
		parts = nil
	}
	for _, e := range answer.Errors {
		parts = append(parts, cmp.Or(e.Message, strings.Join(strings.Fields(e.Resource+" "+e.Field+" "+e.Code), " ")))
	}
	for i, part := range parts {
		parts[i] = strings.TrimRight(strings.Join(strings.Fields(part), " "), ". ")
	}
	return strings.Join(slices.DeleteFunc(slices.Compact(parts), func(s string) bool { return s == "" }), "; ")
}

// Explain turns an error of a GitHub call into words for people, with GitHub's own
// reason. Nil stays nil.
func Explain(err error) error {
	if err == nil {
		return nil
	}
	if halt, ok := errors.AsType[*ops.HaltError](err); ok {
		return halt
	}
	if _, ok := errors.AsType[*ops.Error](err); ok {
		return err
	}
	said := &ops.Error{Kind: ops.Unavailable, Err: err, Passing: Transient(err)}
	if limit, ok := errors.AsType[*github.RateLimitError](err); ok {
		said.What = "GitHub's rate limit for the bot is used up (403)."
		said.Next = "It resets at " + limit.Rate.Reset.UTC().Format("15:04:05") + " UTC; try again then."
		return said
	}
	if limit, ok := errors.AsType[*github.AbuseRateLimitError](err); ok {
		said.What = "GitHub asks the bot to slow down (secondary rate limit)."
		said.Next = "Try again in a few minutes."
		if limit.RetryAfter != nil {
			said.Next = fmt.Sprintf("Try again in %v.", limit.RetryAfter.Round(time.Second))
		}
		return said
	}
	if answer, ok := errors.AsType[*github.ErrorResponse](err); ok && answer.Response != nil {
		answered(said, answer)
		return said
	}
	unanswered(said, err)
	return said
}

const status = "Try again; githubstatus.com tells whether GitHub is in trouble."

func unanswered(said *ops.Error, err error) {
	timeout, _ := errors.AsType[net.Error](err)
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	_, garbled := errors.AsType[*json.SyntaxError](err)
	switch {
	case garbled:
		said.What = "What came for an answer of GitHub's isn't one: a proxy may have put it in its place."
		said.Next = "Try again; if it goes on, look at the bot's network."
	case untrusted:
		said.What = "The bot doesn't trust the certificate of the server that answered for GitHub."
		said.Next = "Look at the bot's network, and GITHUB_API_URL."
	case errors.Is(err, context.DeadlineExceeded) || timeout != nil && timeout.Timeout():
		said.What, said.Next = "GitHub did not answer in time.", status
	default:
		said.What = "GitHub could not be reached."
		said.Next = "Try again; if it goes on, look at the bot's network."
	}
}

// answered explains an answer by its status and by what GitHub says beside it.
func answered(said *ops.Error, answer *github.ErrorResponse) {
	r := answer.Response
	asked := ""
	if r.Request != nil {
		asked = r.Request.Method + " " + r.Request.URL.Path
	}
	reason := Reason(answer)
	with := func(what string) string {
		if reason == "" {
			return what + "."
		}
		return what + ": " + reason + "."
	}
	switch {
	case r.StatusCode == http.StatusUnauthorized:
		said.What = "GitHub doesn't accept the bot's credentials (401)."
		said.Next = unauthorized(reason)
		if reason != "" && reason != "Bad credentials" {
			said.What += " GitHub says: " + reason + "."
		}
	case r.StatusCode == http.StatusTooManyRequests, r.StatusCode == http.StatusForbidden && said.Passing:
		// go-github v62 knows a rate limit by its 403 and its link alone.
		said.What = fmt.Sprintf("GitHub asks the bot to slow down (%d).", r.StatusCode)
		said.Next = "Try again in a few minutes."
		if after := retryAfter(r); after > 0 {
			said.Next = fmt.Sprintf("Try again in %v.", after)
		}
	case r.StatusCode == http.StatusForbidden:
		said.What = with("GitHub refused the bot (403)")
		said.Next = forbidden(r, answer.Message)
	case r.StatusCode >= 300 && r.StatusCode < 400:
		said.What = fmt.Sprintf("GitHub says that %s has moved to %s (%d): the organisation or the repository was renamed.", asked, r.Header.Get("Location"), r.StatusCode)
		said.Next = "Put the new name into the bot's settings."
	case r.StatusCode >= 500:
		said.What, said.Next = with(fmt.Sprintf("GitHub answered %d to %s", r.StatusCode, asked)), status
	default:
		said.What = with(fmt.Sprintf("GitHub answered %d to %s", r.StatusCode, asked))
		said.Next = refused(answer, reason)
	}
}

// retryAfter is what an answer says about when to come again, if that is in seconds.
func retryAfter(r *http.Response) time.Duration {
	return max(0, asked(r)).Round(time.Second)
}

// unauthorized is what helps against a 401. The times in an App's JSON web token are
// refused where the bot's clock is wrong.
// https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app
func unauthorized(reason string) string {
	switch {
	case strings.Contains(reason, "'exp'"), strings.Contains(reason, "'iat'"):
		return "The clock of the bot's machine must be set right."
	case strings.Contains(reason, "JSON web token"):
		return "GITHUB_APP_PRIVATE_KEY must be a key of the GitHub App that GITHUB_APP_ID names; the operators of the bot must renew it."
	}
	return "The operators of the bot must renew them."
}

// Unpermitted tells whether GitHub refused a call for want of a permission, as far as it
// says: a 403 for which it gives no other cause.
func Unpermitted(err error) bool {
	answer, ok := errors.AsType[*github.ErrorResponse](err)
	return ok && Status(err) == http.StatusForbidden && !Transient(err) && barred(answer.Response, answer.Message) == ""
}

// forbidden is what helps against a 403.
func forbidden(r *http.Response, message string) string {
	need := strings.ReplaceAll(r.Header.Get("X-Accepted-GitHub-Permissions"), "=", ": ")
	if need != "" {
		need = "The GitHub App or token needs the permission " + strings.ReplaceAll(need, ",", ", ") + " (read access at least), and an owner of the organisation must have accepted it."
	}
	return cmp.Or(barred(r, message), need, "The GitHub App or token needs read access to the organisation's members.")
}

// barred is what helps against a 403 that isn't about a permission, by its cause; empty:
// GitHub gives no such cause. It names one in a header, and others in the message alone.
// https://docs.github.com/en/rest/using-the-rest-api/troubleshooting-the-rest-api
func barred(r *http.Response, message string) string {
	says := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(strings.ToLower(message), w) })
	}
	sso, authorize, _ := strings.Cut(r.Header.Get("X-GitHub-SSO"), "url=")
	switch {
	case strings.HasPrefix(sso, "required"), says("saml enforcement", "saml sso"):
		if authorize != "" {
			authorize = " at " + authorize
		}
		return "The organisation demands single sign-on: its owner must authorize the bot's token for it" + authorize + ", or the bot must use a GitHub App."
	case says("suspended"):
		return "An owner of the organisation must unsuspend the GitHub App's installation."
	case says("ip allow list"):
		return "An owner of the organisation must put the bot's address on the organisation's IP allow list."
	case says("archived"):
		return "The repository is archived: an administrator must unarchive it, or the bot's settings must name another."
	case says("oauth app access restrictions"):
		return "An owner of the organisation must approve the app that the bot's token belongs to."
	case says("protected branch", "rule violations", "ruleset"):
		return "An administrator of the repository must let the bot past that rule."
	}
	return ""
}

// refused is what helps against another answer of 4xx; empty: that isn't known.
func refused(answer *github.ErrorResponse, reason string) string {
	r := answer.Response
	asked := ""
	if r.Request != nil {
		asked = r.Request.URL.Path
	}
	switch {
	case r.StatusCode == http.StatusNotFound && strings.HasSuffix(asked, "/access_tokens"):
		return "Check GITHUB_APP_ID and GITHUB_APP_INSTALLATION_ID: there is no such installation, or the App was uninstalled."
	case Unsettled(answer):
		return "GitHub says so for a while of what was made a moment ago: try again in a few minutes."
	case strings.Contains(strings.ToLower(reason), "rule violations"):
		return "An administrator of the repository must let the bot's GitHub App past that ruleset, as a bypass actor."
	case r.StatusCode == http.StatusGone:
		return "That part of the repository is switched off."
	case r.StatusCode == http.StatusUnavailableForLegalReasons:
		return "GitHub has blocked it for legal reasons."
	}
	return ""
}
