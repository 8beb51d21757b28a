package githubtest

import (
	"encoding/base64"
	"net/http"
	"strings"
)

// getBlob has a file's content whatever its size, up to 100 MB.
// https://docs.github.com/en/rest/git/blobs#get-a-blob
func getBlob(s *Server, r *request) answer {
	in, sha := r.repository, r.parameters["sha"]
	data, ok := in.objects.get("blob", sha)
	if !ok {
		return r.notFound()
	}
	if r.wants("raw") {
		return whole("raw", data)
	}
	return answer{status: http.StatusOK, body: map[string]any{
		"sha": sha, "node_id": node("Blob", in.id) + sha, "size": len(data), "url": in.api(s) + "/git/blobs/" + sha,
		"content": encoded(data), "encoding": "base64",
	}}
}

func createBlob(s *Server, r *request) answer {
	in := r.repository
	var asked struct {
		Content  *string `json:"content"`
		Encoding string  `json:"encoding"`
	}
	if bad, ok := r.decode(&asked); !ok {
		return bad
	}
	if bad, ok := r.supplied("content", asked.Content != nil); !ok {
		return bad
	}
	data := []byte(*asked.Content)
	switch asked.Encoding {
	case "", "utf-8":
	case "base64":
		var err error
		if data, err = base64.StdEncoding.DecodeString(strings.NewReplacer("\n", "", "\r", "").Replace(*asked.Content)); err != nil {
			return r.unprocessable("content is not valid Base64")
		}
	default:
		return r.unprocessable("Encoding must be one of: utf-8, base64")
	}
	sha := in.objects.put("blob", data)
	a := answer{status: http.StatusCreated, body: map[string]any{"sha": sha, "url": in.api(s) + "/git/blobs/" + sha}}
	a.set("Location", in.api(s)+"/git/blobs/"+sha)
	return a
}
