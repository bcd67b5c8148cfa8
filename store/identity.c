/* SPDX-License-Identifier: ISC */
#include "store/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int uid_name(uid_t uid, char *ret, size_t size)
{
	struct passwd entry, *found = NULL;
	size_t space = 16 << 10;
	scoped_free char *memory = malloc(space);

	if (!memory)
		return -ENOMEM;
	/* An entry too long for the memory counts as none. */
	if (getpwuid_r(uid, &entry, memory, space, &found) == 0 && found &&
	    *found->pw_name)
		snprintf(ret, size, "%s", found->pw_name);
	else
		snprintf(ret, size, "uid-%u", (unsigned int)uid);
	return 0;
}

/* The configured value, or a copy of the default. */
static int configured(struct store *store, const char *key,
		      const char *otherwise, char **ret)
{
	scoped_free char *value = NULL;
	int r = git_config_read(store->repo, key, &value);

	if (r == -ENOMEM)
		return r;
	/* A configuration that cannot be read must not keep anybody from
	 * saving. */
	if (r || !value || !value[strspn(value, " \t\n<>")]) {
		free(value);
		value = strdup(otherwise);
		if (!value)
			return -ENOMEM;
	}
	*ret = STEAL(value);
	return 0;
}

/* ---- programs ---- */

#define NAME_MILLISECONDS 100	/* for which a name is believed */

static int64_t milliseconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Name of the program as far as it can stand in a line. */
static void read_program(struct program *program)
{
	char path[32];
	scoped_fd int fd = -1;
	ssize_t length = 0;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)program->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		length = read(fd, program->name, sizeof(program->name) - 1);
	if (length < 0)
		length = 0;
	while (length > 0 && (program->name[length - 1] == '\n' ||
			      program->name[length - 1] == ' '))
		length--;
	program->name[length] = '\0';
	for (char *p = program->name; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
}

static struct program find_program(struct people *people, pid_t pid)
{
	struct program *place = &people->programs[(unsigned int)pid % PROGRAMS];
	struct program wanted = { .pid = pid, .milliseconds = milliseconds() };

	pthread_mutex_lock(&people->lock);
	if (place->pid == pid &&
	    wanted.milliseconds - place->milliseconds < NAME_MILLISECONDS) {
		wanted = *place;
		pthread_mutex_unlock(&people->lock);
		return wanted;
	}
	pthread_mutex_unlock(&people->lock);
	read_program(&wanted);
	pthread_mutex_lock(&people->lock);
	*place = wanted;
	pthread_mutex_unlock(&people->lock);
	return wanted;
}

static int make_trailers(struct people *people, const struct caller *caller,
			 char **ret)
{
	scoped_buffer struct buffer text = { 0 };
	struct program program = { 0 };
	int r = buffer_printf(&text, "Irmin-Operation: %s\n",
			      caller->operation ? caller->operation : "commit");

	if (caller->pid > 0)
		program = find_program(people, caller->pid);
	if (!r && *program.name)
		r = buffer_printf(&text, "Irmin-Program: %s\n", program.name);
	if (!r && caller->pid > 0)
		r = buffer_printf(&text, "Irmin-Pid: %d\n", (int)caller->pid);
	if (!r)
		*ret = STEAL(text.data);
	return r;
}

static int minutes_east(int64_t seconds)
{
	time_t t = seconds;
	struct tm local;

	if (!localtime_r(&t, &local))
		return 0;
	return local.tm_gmtoff / 60;
}

/* Fills in name and email of uid; both are NULL before. */
static int read_person(struct store *store, uid_t uid, struct person *person)
{
	char user[LOGIN_NAME_MAX], host[HOST_NAME_MAX + 1];
	char address[LOGIN_NAME_MAX + HOST_NAME_MAX + 2];
	int r = uid_name(uid, user, sizeof(user));

	if (r)
		return r;
	if (gethostname(host, sizeof(host)))
		snprintf(host, sizeof(host), "localhost");
	host[HOST_NAME_MAX] = '\0';
	snprintf(address, sizeof(address), "%s@%s", user, host);
	r = configured(store, "user.name", user, &person->name);
	if (!r)
		r = configured(store, "user.email", address, &person->email);
	return r;
}

/* ---- people who were asked for lately ---- */

void people_init(struct people *people)
{
	pthread_mutex_init(&people->lock, NULL);
}

static void person_release(struct person *person)
{
	free(person->name);
	free(person->email);
	*person = (struct person){ 0 };
}

void people_release(struct people *people)
{
	for (size_t i = 0; i < PEOPLE; i++)
		person_release(&people->at[i]);
	pthread_mutex_destroy(&people->lock);
}

/* Fills in when and over which state a person is read. */
static void stamp(struct store *store, int64_t now, struct person *person)
{
	struct stat st = { 0 };

	/* One that cannot be looked at counts as unchanged. */
	fstatat(git_repo_dir_fd(store->repo), "config", &st, 0);
	person->second = now;
	person->config_time = st.st_mtim;
	person->config_file = st.st_ino;
}

static bool is_same(const struct person *a, const struct person *b)
{
	return a->uid == b->uid && a->second == b->second &&
	       a->config_file == b->config_file &&
	       a->config_time.tv_sec == b->config_time.tv_sec &&
	       a->config_time.tv_nsec == b->config_time.tv_nsec;
}

/* NULL: not known, or not as it is now. */
static struct person *find_locked(struct people *people,
				  const struct person *wanted)
{
	for (size_t i = 0; i < PEOPLE; i++)
		if (people->at[i].name && is_same(&people->at[i], wanted))
			return &people->at[i];
	return NULL;
}

static void remember(struct people *people, struct person *person)
{
	SCOPED_LOCK(&people->lock);
	struct person *place = &people->at[people->next++ % PEOPLE];
	struct person old = *place;

	*place = *person;
	*person = old;
}

static int sign(const struct person *person, struct signature *ret)
{
	return signature_init(ret, person->name, person->email, person->second,
			      minutes_east(person->second));
}

/* 1: not known. */
static int known_author(struct people *people, const struct person *wanted,
			struct signature *ret)
{
	const struct person *person;

	SCOPED_LOCK(&people->lock);
	person = find_locked(people, wanted);
	return person ? sign(person, ret) : 1;
}

static int make_author(struct store *store, uid_t uid, struct signature *ret)
{
	struct person person = { .uid = uid };
	int r;

	stamp(store, store_now(store), &person);
	r = known_author(&store->people, &person, ret);
	if (r <= 0)
		return r;
	r = read_person(store, uid, &person);
	if (!r)
		r = sign(&person, ret);
	if (!r)
		remember(&store->people, &person);
	person_release(&person);
	return r;
}

int identity_init(struct identity *ret, struct store *store,
		  const struct caller *caller)
{
	struct identity identity = { 0 };
	int r = make_trailers(&store->people, caller, &identity.trailers);

	if (!r)
		r = make_author(store, caller->uid, &identity.author);
	if (r) {
		identity_release(&identity);
		return r;
	}
	identity.timer = caller->operation && !strcmp(caller->operation, "timer");
	*ret = identity;
	return 0;
}

void identity_release(struct identity *identity)
{
	signature_release(&identity->author);
	free(identity->trailers);
	identity->trailers = NULL;
}
