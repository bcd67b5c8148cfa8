/* SPDX-License-Identifier: ISC */
#include "store/commit.h"
#include "store/util.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- signatures ---- */

void signature_release(struct signature *signature)
{
	free(signature->name);
	free(signature->email);
	*signature = (struct signature){ 0 };
}

/* Copies length bytes without what would break the line, and without blanks
 * and dots around, as Git does. */
static char *clean_copy(const char *text, size_t length)
{
	char *copy = malloc(length + 1);
	size_t n = 0;

	if (!copy)
		return NULL;
	for (size_t i = 0; i < length; i++) {
		char c = text[i];

		if (c != '<' && c != '>' && c != '\n' && c != '\0' &&
		    (n || c != ' '))
			copy[n++] = c;
	}
	while (n && copy[n - 1] == ' ')
		n--;
	copy[n] = '\0';
	return copy;
}

static int init_n(struct signature *ret, const char *name, size_t name_length,
		  const char *email, size_t email_length)
{
	struct signature s = {
		.name = clean_copy(name, name_length),
		.email = clean_copy(email, email_length),
	};

	if (!s.name || !s.email) {
		signature_release(&s);
		return -ENOMEM;
	}
	*ret = s;
	return 0;
}

int signature_init(struct signature *ret, const char *name, const char *email,
		   int64_t time, int offset)
{
	int r = init_n(ret, name, strlen(name), email, strlen(email));

	if (r < 0)
		return r;
	ret->time = time;
	ret->offset = offset;
	return 0;
}

static int signature_print(struct buffer *b, const char *key,
			   const struct signature *s)
{
	int offset = s->offset < 0 ? -s->offset : s->offset;

	return buffer_printf(b, "%s %s <%s> %" PRId64 " %c%02d%02d\n", key,
			     s->name, s->email, s->time,
			     s->offset < 0 ? '-' : '+', offset / 60,
			     offset % 60);
}

/* "NAME <EMAIL> SECONDS +HHMM"; old commits lack parts of it. */
static int signature_parse(const char *line, size_t length,
			   struct signature *ret)
{
	const char *open = memchr(line, '<', length);
	const char *close = open ? memchr(open, '>', line + length - open) : NULL;
	int r, hours_minutes = 0;

	if (!close)
		return -EUCLEAN;
	r = init_n(ret, line, open - line, open + 1, close - open - 1);
	if (r < 0)
		return r;
	/* the object ends with a NUL, so strtoll stops */
	ret->time = strtoll(close + 1, (char **)&close, 10);
	if (close < line + length && *close == ' ')
		hours_minutes = (int)strtol(close + 1, NULL, 10) % 10000;
	ret->offset = hours_minutes / 100 * 60 + hours_minutes % 100;
	return 0;
}

/* ---- decoding ---- */

static int add_parent(struct commit *commit, const char *hex)
{
	struct oid *parents = realloc(commit->parents,
			(commit->parent_count + 1) * sizeof(*parents));

	if (!parents)
		return -ENOMEM;
	commit->parents = parents;
	if (oid_parse(hex, &parents[commit->parent_count]) < 0)
		return -EUCLEAN;
	commit->parent_count++;
	return 0;
}

static int parse_line(struct commit *commit, const char *line, size_t length)
{
	if (length == 5 + 40 && strncmp(line, "tree ", 5) == 0)
		return oid_parse(line + 5, &commit->tree) < 0 ? -EUCLEAN : 0;
	if (length == 7 + 40 && strncmp(line, "parent ", 7) == 0)
		return add_parent(commit, line + 7);
	if (strncmp(line, "author ", 7) == 0 && !commit->author.name)
		return signature_parse(line + 7, length - 7, &commit->author);
	if (strncmp(line, "committer ", 10) == 0 && !commit->committer.name)
		return signature_parse(line + 10, length - 10,
				       &commit->committer);
	return 0;
}

static int parse(struct commit *commit, const char *data, size_t size)
{
	const char *p = data, *end = data + size;

	if (size < 46 || strncmp(data, "tree ", 5) != 0)
		return -EUCLEAN;
	while (p < end && *p != '\n') {
		const char *eol = memchr(p, '\n', end - p);
		int r;

		if (!eol)
			return -EUCLEAN;
		r = parse_line(commit, p, eol - p);
		if (r < 0)
			return r;
		p = eol + 1;
	}
	if (oid_is_zero(&commit->tree) || !commit->author.name ||
	    !commit->committer.name)
		return -EUCLEAN;
	commit->message = strndup(p < end ? p + 1 : "", p < end ? end - p - 1 : 0);
	return commit->message ? 0 : -ENOMEM;
}

int commit_read(struct odb *odb, const struct oid *oid,
		struct commit **ret_commit)
{
	scoped_free void *data = NULL;
	struct commit *commit;
	size_t size;
	int r = odb_read(odb, oid, OBJECT_COMMIT, &data, &size);

	if (r < 0)
		return r;
	commit = calloc(1, sizeof(*commit));
	r = commit ? parse(commit, data, size) : -ENOMEM;
	if (r < 0) {
		commit_free(commit);
		return r;
	}
	*ret_commit = commit;
	return 0;
}

/* ---- encoding ---- */

static int print(struct buffer *b, const struct commit *commit)
{
	char hex[OID_HEX_SIZE];
	int r = buffer_printf(b, "tree %s\n", oid_hex(&commit->tree, hex));

	for (size_t i = 0; r == 0 && i < commit->parent_count; i++)
		r = buffer_printf(b, "parent %s\n",
				  oid_hex(&commit->parents[i], hex));
	if (r == 0)
		r = signature_print(b, "author", &commit->author);
	if (r == 0)
		r = signature_print(b, "committer", &commit->committer);
	if (r == 0)
		r = buffer_printf(b, "\n%s", commit->message);
	return r;
}

int commit_write(struct odb *odb, const struct commit *commit,
		 struct oid *ret_oid)
{
	scoped_buffer struct buffer b = { 0 };
	int r = print(&b, commit);

	if (r < 0)
		return r;
	return odb_write(odb, OBJECT_COMMIT, b.data, b.length, ret_oid);
}

void commit_free(struct commit *commit)
{
	if (!commit)
		return;
	free(commit->parents);
	signature_release(&commit->author);
	signature_release(&commit->committer);
	free(commit->message);
	free(commit);
}
