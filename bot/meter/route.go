package meter

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// slackMethod is what a method of Slack's Web API looks like.
var slackMethod = regexp.MustCompile(`^[a-zA-Z]+(\.[a-zA-Z]+){1,4}$`)

// answering are the first parts of the paths that Slack gives out for answers.
var answering = []string{"commands", "actions", "services", "workflows", "app"}

// SlackMethod names a call of Slack: the Web API's method, "upload" for a file
// that is brought, "response_url" for an answer, whose path is a key and never
// named, or "other".
func SlackMethod(r *http.Request) string {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	last := parts[len(parts)-1]
	switch {
	case len(parts) > 2 && slices.Contains(answering, parts[0]):
		return "response_url"
	case len(parts) > 2 && parts[0] == "upload":
		return "upload"
	case slackMethod.MatchString(last):
		return last
	}
	return other
}

// gitHubRoutes are the endpoints that the bot knows, as GitHub's documentation
// writes them. "..." takes the rest of the path.
// https://docs.github.com/en/rest
var gitHubRoutes = func() (routes [][]string) {
	for _, path := range []string{
		"app/installations/{installation}/access_tokens",
		"graphql",
		"login/device/code",
		"login/oauth/access_token",
		"orgs/{org}/teams",
		"orgs/{org}/teams/{team}",
		"orgs/{org}/teams/{team}/members",
		"orgs/{org}/teams/{team}/memberships/{user}",
		"repos/{owner}/{repo}",
		"repos/{owner}/{repo}/contents/...",
		"repos/{owner}/{repo}/git/blobs/{sha}",
		"repos/{owner}/{repo}/git/commits",
		"repos/{owner}/{repo}/git/commits/{sha}",
		"repos/{owner}/{repo}/git/ref/...",
		"repos/{owner}/{repo}/git/refs",
		"repos/{owner}/{repo}/git/refs/...",
		"repos/{owner}/{repo}/git/trees",
		"repos/{owner}/{repo}/git/trees/...",
		"repos/{owner}/{repo}/pulls",
		"repos/{owner}/{repo}/pulls/{number}",
		"user",
		"user/{id}",
		"users/{user}",
	} {
		routes = append(routes, strings.Split(path, "/"))
	}
	return routes
}()

// verbs are the methods of HTTP that GitHub's API knows.
var verbs = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPatch, http.MethodPut, http.MethodDelete}

// GitHubRoute names a call of GitHub: the verb and the route as GitHub's
// documentation writes it, "GET /orgs/{org}/teams/{team}/memberships/{user}", or
// the verb and "other".
func GitHubRoute(r *http.Request) string {
	verb := among(verbs, r.Method)
	path := strings.Trim(r.URL.EscapedPath(), "/")
	// Where a GitHub Enterprise Server has them.
	for _, prefix := range []string{"api/v3/", "api/"} {
		if rest, ok := strings.CutPrefix(path, prefix); ok {
			path = rest
			break
		}
	}
	got := strings.Split(path, "/")
	for _, want := range gitHubRoutes {
		if follows(got, want) {
			return verb + " /" + strings.Join(want, "/")
		}
	}
	return verb + " " + other
}

func follows(got, want []string) bool {
	if last := len(want) - 1; want[last] == "..." {
		if len(got) <= last {
			return false
		}
		got, want = got[:last], want[:last]
	}
	return slices.EqualFunc(got, want, func(g, w string) bool { return g == w || g != "" && strings.HasPrefix(w, "{") })
}
