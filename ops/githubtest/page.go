package githubtest

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

const (
	largestPage = 100
	defaultPage = 30
)

// page answers with the part of the list that page and per_page ask for, and with the Link header where there is more
// than one page. Numbers that make no sense are GitHub's defaults; a page behind the last one is an empty list.
// https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api
//
// The canonical path is numeric and has no slash before it, as in GitHub's own links.
func page(s *Server, r *request, canonical string, list []map[string]any) answer {
	query := r.URL.Query()
	size := number(query.Get("per_page"), defaultPage)
	size = min(size, largestPage, s.options.PageSize)
	at := number(query.Get("page"), 1)
	last := max((len(list)+size-1)/size, 1)

	a := answer{status: http.StatusOK, body: []map[string]any{}}
	if at <= last {
		a.body = append([]map[string]any{}, list[(at-1)*size:min(at*size, len(list))]...)
	}
	var links []string
	link := func(rel string, n int) {
		q := url.Values{}
		for key, values := range query {
			q[key] = values
		}
		q.Set("page", strconv.Itoa(n))
		links = append(links, fmt.Sprintf(`<%s%s?%s>; rel="%s"`, s.url, canonical, q.Encode(), rel))
	}
	if at > 1 {
		link("prev", min(at-1, last))
	}
	if at < last {
		link("next", at+1)
		link("last", last)
	}
	if at > 1 {
		link("first", 1)
	}
	if len(links) > 0 {
		a.set("Link", strings.Join(links, ", "))
	}
	return a
}

func number(text string, otherwise int) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return otherwise
	}
	return n
}
