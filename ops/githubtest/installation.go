package githubtest

import (
	"slices"
	"strconv"
	"strings"
)

// anyOf reports whether any of the permissions is for repositories.
func anyOf(permissions map[string]string) bool {
	return slices.ContainsFunc(repositoryPermissions, func(name string) bool { return permissions[name] != "" })
}

// narrow is the repositories that a token is asked for, by name (without their owner) or ID; nil: no fewer than the
// installation has. It is false where one of them isn't the installation's.
// https://docs.github.com/en/rest/apps/apps#create-an-installation-access-token-for-an-app
func (s *Server) narrow(app *App, byName []string, byID []int64) ([]*repository, bool) {
	var list []*repository
	add := func(in *repository) bool {
		if in == nil || in.owner != s.org.login || !names(app.Repositories, in) {
			return false
		}
		if !slices.Contains(list, in) {
			list = append(list, in)
		}
		return true
	}
	for _, name := range byName {
		if !add(s.repositories[strings.ToLower(s.org.login+"/"+name)]) {
			return nil, false
		}
	}
	for _, id := range byID {
		if !add(s.repositoryOf(map[string]string{"repo_id": strconv.FormatInt(id, 10)})) {
			return nil, false
		}
	}
	return list, true
}

// namesOf is the full names of repositories; nil stays nil.
func namesOf(list []*repository) []string {
	var full []string
	for _, in := range list {
		full = append(full, in.fullName())
	}
	return full
}
