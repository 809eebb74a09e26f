// Part of every page. Loads the scripts after the first paint, so that the paint comes sooner. A hidden page isn't
// painted, so it doesn't wait.
const theme = localStorage.getItem('usher-theme');
if (theme) document.documentElement.dataset.theme = theme;
const start = () => {
  for (const file of FILES) {
    document.head.append(Object.assign(document.createElement('link'), { rel: 'modulepreload', href: `assets/VERSION/${file}` }));
  }
  import('./assets/VERSION/MAIN').catch(() => { document.getElementById('broken').hidden = false; });
};
if (document.hidden) start();
else requestAnimationFrame(() => setTimeout(start));
