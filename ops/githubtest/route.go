package githubtest

import (
	"net/http"
	"net/url"
	"strings"
)

// apiVersion is the only one there is here.
// https://docs.github.com/en/rest/about-the-rest-api/api-versions
const apiVersion = "2022-11-28"

// route is one endpoint.
type route struct {
	method, path string
	// doc is the page that GitHub's errors point to, below docs.github.com/rest until find has seen to it.
	doc string
	// jwt: the endpoint wants a GitHub App's JSON web token. false: anything but that.
	jwt bool
	// members: an installation needs the organisation permission "members".
	members bool
	// needs is what an installation or a fine-grained token must have in the repository, "contents:write", and a person
	// must be; with a "|" between them, several of which one is enough. Empty: the endpoint isn't a repository's.
	needs string
	// readers: whoever may read the repository may do this too.
	readers bool
	// free: not counted against the hourly limit.
	free bool
	// site: a page of github.com, not of the API: it has no credentials, no hourly limit and errors of its own.
	site   bool
	handle func(*Server, *request) answer
}

// request is a call that has reached its endpoint.
type request struct {
	*http.Request
	route      route
	who        caller
	parameters map[string]string
	content    []byte
	repository *repository // where the route has needs
}

func (r *request) notFound() answer {
	return refuse(http.StatusNotFound, http.StatusText(http.StatusNotFound), r.route.doc)
}

// routes is everything that this GitHub knows, one line per endpoint. The numeric paths are where GitHub's own Link
// headers lead. A name with dots takes the rest of the path, slashes and all.
func routes() []route {
	const get, post = http.MethodGet, http.MethodPost
	return append(repositoryRoutes(), []route{
		{method: get, path: "/rate_limit", doc: "rate-limit/rate-limit#get-rate-limit-status-for-the-authenticated-user", free: true, handle: getRateLimit},

		{method: get, path: "/app", doc: "apps/apps#get-the-authenticated-app", jwt: true, handle: getApp},
		{method: post, path: "/app/installations/{installation}/access_tokens", doc: "apps/apps#create-an-installation-access-token-for-an-app", jwt: true, handle: createInstallationToken},

		{method: post, path: graphPath, doc: docGraph, handle: queryGraph},
		{method: post, path: "/login/device/code", site: true, handle: createDevice},
		{method: post, path: "/login/oauth/access_token", site: true, handle: createUserToken},

		{method: get, path: "/user", doc: "users/users#get-the-authenticated-user", handle: getAuthenticatedUser},
		{method: get, path: "/user/{account_id}", doc: "users/users#get-a-user-using-their-id", handle: getUserByID},
		{method: get, path: "/users/{login}", doc: "users/users#get-a-user", handle: getUser},

		{method: get, path: "/orgs/{org}", doc: "orgs/orgs#get-an-organization", handle: getOrganization},
		{method: get, path: "/organizations/{org_id}", doc: "orgs/orgs#get-an-organization", handle: getOrganization},
		{method: get, path: "/orgs/{org}/members", doc: "orgs/members#list-organization-members", members: true, handle: listOrganizationMembers},
		{method: get, path: "/organizations/{org_id}/members", doc: "orgs/members#list-organization-members", members: true, handle: listOrganizationMembers},
		{method: get, path: "/orgs/{org}/public_members", doc: "orgs/members#list-public-organization-members", handle: listPublicMembers},
		{method: get, path: "/organizations/{org_id}/public_members", doc: "orgs/members#list-public-organization-members", handle: listPublicMembers},
		{method: get, path: "/orgs/{org}/memberships/{login}", doc: "orgs/members#get-organization-membership-for-a-user", members: true, handle: getOrganizationMembership},

		{method: get, path: "/orgs/{org}/teams", doc: "teams/teams#list-teams", members: true, handle: listTeams},
		{method: get, path: "/organizations/{org_id}/teams", doc: "teams/teams#list-teams", members: true, handle: listTeams},
		{method: get, path: "/orgs/{org}/teams/{team}", doc: "teams/teams#get-a-team-by-name", members: true, handle: getTeam},
		{method: get, path: "/organizations/{org_id}/team/{team_id}", doc: "teams/teams#get-a-team-by-name", members: true, handle: getTeam},
		{method: get, path: "/orgs/{org}/teams/{team}/members", doc: "teams/members#list-team-members", members: true, handle: listTeamMembers},
		{method: get, path: "/organizations/{org_id}/team/{team_id}/members", doc: "teams/members#list-team-members", members: true, handle: listTeamMembers},
		{method: get, path: "/orgs/{org}/teams/{team}/memberships/{login}", doc: "teams/members#get-team-membership-for-a-user", members: true, handle: getTeamMembership},
		{method: get, path: "/organizations/{org_id}/team/{team_id}/memberships/{login}", doc: "teams/members#get-team-membership-for-a-user", members: true, handle: getTeamMembership},
	}...)
}

// find is the route of a request and what its path says. A slash at the end, a doubled slash or another method is
// another endpoint, as on GitHub.
func find(r *http.Request) (route, map[string]string, bool) {
	got := strings.Split(r.URL.EscapedPath(), "/")
	for _, to := range routes() {
		want := strings.Split(to.path, "/")
		if to.method != r.Method {
			continue
		}
		if parameters, ok := match(want, got); ok {
			if !strings.HasPrefix(to.doc, "https://") {
				to.doc = docRoot + "/" + to.doc
			}
			return to, parameters, true
		}
	}
	return route{}, nil, false
}

func match(want, got []string) (map[string]string, bool) {
	parameters := map[string]string{}
	last := len(want) - 1
	if name, ok := strings.CutSuffix(want[last], "...}"); ok && len(got) > last {
		rest, err := url.PathUnescape(strings.Join(got[last:], "/"))
		if err != nil || rest == "" {
			return nil, false
		}
		parameters[strings.TrimPrefix(name, "{")] = rest
		want, got = want[:last], got[:last]
	}
	if len(got) != len(want) {
		return nil, false
	}
	for i, segment := range want {
		value, err := url.PathUnescape(got[i])
		if err != nil {
			return nil, false
		}
		if name, ok := strings.CutPrefix(segment, "{"); ok && value != "" {
			parameters[strings.TrimSuffix(name, "}")] = value
		} else if segment != value {
			return nil, false
		}
	}
	return parameters, true
}
